"""What can go wrong with a project as a whole."""

from feilun.errors import FeilunError


class ProjectExists(FeilunError):
    """`feilun init` was asked to write over a project."""

    code, kind = "project.exists", "conflict"
    en = "{folder} already holds a {name}. Edit it, or choose another folder."
    zh = "{folder} 中已有 {name}。请直接修改它，或换一个文件夹。"


class WorkspaceMissing(FeilunError):
    """Tenants or keys were asked for where nothing is kept."""

    code, kind = "workspace.missing", "missing"
    en = "There is no workspace in {folder} or above it. Name a project's folder, or begin with: feilun init"
    zh = "{folder} 及其上级文件夹中没有工作区。请指定项目所在的文件夹，或先运行 feilun init。"


class NothingToRollBack(FeilunError):
    """There is no earlier model to go back to."""

    code, kind = "release.nothing_to_roll_back", "missing"
    en = "Project {project!r} has had no model before this one, so there is nothing to roll back to."
    zh = "项目 {project!r} 没有更早上线的模型，无法回滚。"


class AnswersAlready(FeilunError):
    """The champion was to be its own challenger."""

    code, kind = "release.answers_already", "conflict"
    en = "Model {model_id} answers already. A shadow or canary is another model beside it: see feilun model list."
    zh = "模型 {model_id} 已是线上冠军。影子或灰度须是另一个模型，可用 feilun model list 查看。"


class NothingBeside(FeilunError):
    """A shadow or canary was to begin, and no model answers that it could stand beside."""

    code, kind = "release.nothing_beside", "conflict"
    en = "Project {project!r} has no model that answers yet, so there is nothing to begin beside. Promote one first."
    zh = "项目 {project!r} 还没有上线的模型，无法开始影子或灰度。请先上线一个模型。"


class NothingToStop(FeilunError):
    """Neither a shadow nor a canary is under way."""

    code, kind = "release.nothing_to_stop", "missing"
    en = "Neither a shadow nor a canary is under way in project {project!r}."
    zh = "项目 {project!r} 当前没有进行中的影子或灰度。"


class ShareOutOfRange(FeilunError):
    """A shadow or canary was to have no traffic, or more than there is."""

    code, kind = "release.share_out_of_range", "invalid"
    en = "A share of the traffic is above 0 and at most 1, such as 0.1 for a tenth; {share} is not."
    zh = "流量比例须大于 0 且不超过 1，例如 0.1 表示十分之一；{share} 不符合要求。"


class GoalNotMet(FeilunError):
    """A model that misses the goal was to be promoted by hand without an override."""

    code, kind = "release.goal_not_met", "conflict"
    en = "Model {model_id} does not meet the goal: {en} A named person may override it with --override and a reason."
    zh = "模型 {model_id} 未达到目标：{zh}如确需上线，请由具名人员使用 --override 并说明理由。"


class NoModel(FeilunError):
    """Something needs a model and the project has none yet."""

    code, kind = "project.no_model", "missing"
    en = "Project {project!r} has no model yet. Train one with: feilun turn {folder}"
    zh = "项目 {project!r} 还没有模型。请先训练：feilun turn {folder}"


class LabelUnknown(FeilunError):
    """An explanation was asked for a label that the model does not give."""

    code, kind = "project.label_unknown", "invalid"
    en = "Model {model_id} knows no label {label!r}. See its labels with: feilun model show --model {model_id}"
    zh = "模型 {model_id} 没有标签 {label!r}。可用 feilun model show --model {model_id} 查看其标签。"


class ModelUnfit(FeilunError):
    """A bundle from elsewhere does another task than the project's."""

    code, kind = "project.model_unfit", "conflict"
    en = "The model in {file} does not fit project {project!r}: {found}, expected {expected}. Nothing was taken over."
    zh = "{file} 中的模型不适合项目 {project!r}：发现 {found}，应为 {expected}。未导入任何内容。"


class ReportUnreadable(FeilunError):
    """A bundle from elsewhere comes with a report that is none."""

    code, kind = "project.report_unreadable", "conflict"
    en = (
        "The report of the model in {file} cannot be read ({found}). Nothing was taken over. Export it again: "
        "feilun model export"
    )
    zh = "无法读取 {file} 中模型的报告（{found}）。未导入任何内容。请用 feilun model export 重新导出。"


class NoSuchDoubt(FeilunError):
    """A label was to be settled that nobody doubts."""

    code, kind = "project.no_such_doubt", "missing"
    en = "No label of the training rows is in doubt under {example_id!r}. See: feilun data doubts {folder}"
    zh = "训练行中没有编号为 {example_id!r} 的存疑标签。请查看：feilun data doubts {folder}"


class TooFewRows(FeilunError):
    """A learning curve was asked for, and there is next to nothing to draw it from."""

    code, kind = "project.too_few_rows", "invalid"
    en = (
        "{n_rows} training rows are too few to say what more would bring: at least 20 are needed, and classes with two "
        "rows or more. Label a few more of each class."
    )
    zh = (
        "只有 {n_rows} 行训练数据，不足以预测再标注的效果：至少需要 20 行，且有类别不少于两行。请为每个类别再标注几行。"
    )


class NameUnusable(FeilunError):
    """A project was to have a name that cannot stand in an address."""

    code, kind = "project.name_unusable", "invalid"
    en = "{name!r} cannot be a project's name. Use letters, digits, '-' and '_', at most 64, a letter or digit first."
    zh = "{name!r} 不能用作项目名称。请使用字母、数字、“-”和“_”，最多 64 个字符，并以字母或数字开头。"


class FoundingElsewhere(FeilunError):
    """A new project was asked of a server that serves one project, not a folder of them."""

    code, kind = "project.founding_elsewhere", "conflict"
    en = "This server serves one project and can hold no other. Serve a folder of projects: feilun serve FOLDER"
    zh = "此服务只服务于一个项目，不能再容纳其他项目。请改为服务一个存放项目的文件夹：feilun serve FOLDER"


class UploadUnknown(FeilunError):
    """A file was named that does not wait here."""

    code, kind = "upload.unknown", "missing"
    en = "There is no file {upload_id!r} here: those that nothing is made of are kept for a day. Send it again."
    zh = "这里没有（或不再有）文件 {upload_id!r}：未被使用的文件只保留一天。请重新上传。"


class TooManyUploads(FeilunError):
    """A tenant has many files waiting."""

    code, kind = "upload.too_many", "conflict"
    en = "{n_waiting} files wait already and nothing was made of them. Use one of them, or remove some."
    zh = "已有 {n_waiting} 个上传的文件在等待使用。请先使用其中的文件，或删除一些。"


class SettingUnknown(FeilunError):
    """A setting was named that does not exist."""

    code, kind = "settings.unknown", "invalid"
    en = "There is no setting {setting!r}. Did you mean {guess!r}? All of them: feilun config show --all"
    zh = "没有名为 {setting!r} 的设置。是否想写 {guess!r}？查看全部设置：feilun config show --all"


class SettingInFile(FeilunError):
    """A setting was to be changed that only whoever has the machine may change."""

    code, kind = "settings.in_file", "invalid"
    en = (
        "{setting} is changed in {name} itself, on the machine: it says where data come from, what is learnt, or who "
        "is let in. Then start the server anew."
    )
    zh = "{setting} 只能在服务器上直接修改 {name}：它决定数据来自哪里、学习什么，或谁可以访问。修改后请重启服务。"


class SettingsRefused(FeilunError):
    """Settings were to get values that they cannot have; `settings` names them."""

    code, kind = "settings.refused", "invalid"
    en = "Nothing was changed, as these cannot be used: {mistakes_en}."
    zh = "未做任何更改，以下取值不可用：{mistakes_zh}。"


class SettingsOutdated(FeilunError):
    """Somebody else has changed the settings meanwhile."""

    code, kind = "settings.outdated", "conflict"
    en = "{name} has changed since you read it. Nothing was written. Read it again, then make your change once more."
    zh = "{name} 在你读取之后已被修改。未写入任何内容。请重新读取后再次修改。"


class DatasetUnknown(FeilunError):
    """A dataset was named that no turn of the project has made."""

    code, kind = "data.dataset_unknown", "missing"
    en = "No turn of project {project!r} has made a dataset {dataset_id!r}. See: feilun data show"
    zh = "项目 {project!r} 的任何一轮都没有生成过数据集 {dataset_id!r}。请查看：feilun data show"
