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
