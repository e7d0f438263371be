"""What can go wrong with a backup."""

from feilun.errors import FeilunError

REFUSALS = {
    "not_a_backup": ("it is not a backup of Feilun", "不是飞轮的备份文件"),
    "sha256": ("its sha256 is not the one that was recorded", "sha256 与记录不符"),
    "size": ("its declared size is not possible", "声明的大小不可能"),
    "name": ("its name is not safe", "名称不安全"),
    "kind": ("it is not a plain, uncompressed file", "不是未压缩的普通文件"),
    "count": ("there are too many members", "成员过多"),
    "twice": ("its name comes twice", "名称重复"),
    "unlisted": ("the manifest does not list it", "不在清单之中"),
    "missing": ("it is missing", "文件缺失"),
}


class BackupRefused(FeilunError):
    """An archive is damaged, or not one that `feilun backup` writes. `what` is a key of REFUSALS."""

    code, kind = "backup.refused", "invalid"
    en = "{file} was not restored: {member}: {what}. Nothing was written. Use another backup."
    zh = "{file} 未被恢复：{member}：{what}。未写入任何内容。请改用另一份备份。"
    reasons = REFUSALS


class BackupMissing(FeilunError):
    """There is no archive to restore from."""

    code, kind = "backup.missing", "missing"
    en = "There is no file {file} that can be read. Give the archive that `feilun backup` wrote."
    zh = "没有可读取的文件 {file}。请给出 feilun backup 写出的归档文件。"


class BackupExists(FeilunError):
    """A backup would overwrite a file."""

    code, kind = "backup.exists", "conflict"
    en = "{file} exists already, and a backup is never written over. Choose another name."
    zh = "{file} 已存在，备份不会覆盖已有文件。请换一个名称。"


class BackupTooNew(FeilunError):
    """A newer Feilun wrote this backup."""

    code, kind = "backup.too_new", "conflict"
    en = "{file} has format {found}; this Feilun restores up to {known}. Run: pip install -U feilun"
    zh = "{file} 的格式版本为 {found}，本版 Feilun 最高支持 {known}。请升级：pip install -U feilun"


class FolderNotEmpty(FeilunError):
    """A backup was to be restored over something."""

    code, kind = "backup.folder_not_empty", "conflict"
    en = "{folder} is there and not an empty folder. Restore into a new folder, then look at it before you switch."
    zh = "{folder} 已存在，且不是空文件夹。请恢复到一个新文件夹，检查之后再切换过去。"


class FolderRefused(FeilunError):
    """The operating system does not let a file or folder be put into its place."""

    code, kind = "backup.folder_refused", "unavailable"
    en = "{folder} could not be written ({reason}). Nothing was left behind. Choose a folder that you may write to."
    zh = "无法写入 {folder}（{reason}）。未留下任何内容。请选择一个有写入权限的文件夹。"


class NoRoom(FeilunError):
    """The disk has no room for a backup, or for what is in one."""

    code, kind = "backup.no_room", "unavailable"
    en = "{folder} needs {needs_mb} MB of disk space and has {has_mb} MB. Free some, or choose another disk."
    zh = "{folder} 需要 {needs_mb} MB 磁盘空间，目前只有 {has_mb} MB。请清理空间，或换一个磁盘。"


class BackupUnknown(FeilunError):
    """A kept backup was named that is not there, or that has not come to anything."""

    code, kind = "backup.unknown", "missing"
    en = "The workspace keeps no backup {backup_id!r}. See: feilun backups list"
    zh = "工作区中没有备份 {backup_id!r}。请查看：feilun backups list"


class BackupUnderWay(FeilunError):
    """One backup is made at a time, and none is deleted while it is made."""

    code, kind = "backup.under_way", "conflict"
    en = "A backup is being made. Wait until it is done; feilun backups list shows how far it is."
    zh = "正在制作一份备份。请等待其完成，可用 feilun backups list 查看进展。"


class TooManyBackups(FeilunError):
    """The workspace keeps as many backups as it may."""

    code, kind = "backup.too_many", "conflict"
    en = "The workspace keeps {n_kept} backups, which is the most. Fetch the oldest, then delete it here."
    zh = "工作区已保存 {n_kept} 份备份，达到上限。请先下载最早的一份，再将其删除。"


class BackupInterrupted(FeilunError):
    """A backup was not finished: its process ended, or something unforeseen happened, which the log names."""

    code, kind = "backup.interrupted", "unavailable"
    en = "It was interrupted before it was done, and nothing of it is kept. Begin another one."
    zh = "备份在完成之前中断，未保留任何内容。请重新开始。"
