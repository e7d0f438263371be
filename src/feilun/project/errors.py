"""What can go wrong with a project as a whole."""

from feilun.errors import FeilunError


class ProjectExists(FeilunError):
    """`feilun init` was asked to write over a project."""

    code, kind = "project.exists", "conflict"
    en = "{folder} already holds a {name}. Edit it, or choose another folder."
    zh = "{folder} 中已有 {name}。请直接修改它，或换一个文件夹。"


class NothingToRollBack(FeilunError):
    """There is no earlier model to go back to."""

    code, kind = "release.nothing_to_roll_back", "missing"
    en = "Project {project!r} has had no model before this one, so there is nothing to roll back to."
    zh = "项目 {project!r} 没有更早上线的模型，无法回滚。"


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


class ModelUnfit(FeilunError):
    """A bundle from elsewhere does another task than the project's, or its report is none."""

    code, kind = "project.model_unfit", "conflict"
    en = "The model in {file} does not fit project {project!r}: {found}, expected {expected}. Nothing was taken over."
    zh = "{file} 中的模型不适合项目 {project!r}：发现 {found}，应为 {expected}。未导入任何内容。"


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
