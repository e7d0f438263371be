"""What can go wrong on the way to a chat."""

from feilun.errors import FeilunError

WAYS_TO_FAIL = {
    "reference": (
        "what url or secret names in feilun.toml is not there or is empty.",
        "feilun.toml 中 url 或 secret 所指的内容不存在或为空。",
    ),
    "url": (
        "its address is not https://host/path (http is for loopback alone).",
        "地址不是 https://主机/路径 的形式（http 只能用于本机回环地址）。",
    ),
    "host": (
        "its host is not among [serve] alert_hosts.",
        "其主机不在 [serve] alert_hosts 之中。",
    ),
    "address": (
        "its host has an address in a private network that [serve] alert_networks does not name.",
        "其主机的地址位于 [serve] alert_networks 未列出的内网网段。",
    ),
    "unresolved": ("its host's name could not be resolved.", "无法解析其主机名。"),
    "unreachable": ("no connection could be made, or it broke off.", "无法建立连接，或连接中断。"),
    "timeout": ("it took too long to answer.", "对方响应超时。"),
    "tls": ("its certificate could not be verified.", "无法验证对方的证书。"),
    "redirect": (
        "it points to another address, which is not followed. Status:",
        "对方要求跳转到其他地址，出于安全考虑未跟随。状态码：",
    ),
    "status": ("it answered with status", "对方返回的状态码为 "),
    "unread": (
        "it answered with something that such a chat never says. Is the address right?",
        "返回的内容不是该群聊机器人的应答，请检查地址是否正确。",
    ),
    "refused": ("the chat refused the message with number", "群聊机器人拒绝了消息，错误码为 "),
}


class AlertNotSent(FeilunError):
    """An alert did not reach its target. `detail` is a status, a number of the chat's, or the name of a setting."""

    code, kind = "alerts.not_sent", "unavailable"
    en = "Nothing reached the alert target {target!r}: {what} {detail}"
    zh = "告警未能送达目标 {target!r}：{what}{detail}"
    reasons = WAYS_TO_FAIL


class AlertTargetUnknown(FeilunError):
    """A test was to go to a target that the settings do not have."""

    code, kind = "alerts.target_unknown", "missing"
    en = "There is no alert target {target!r} in feilun.toml. Known: {known}."
    zh = "feilun.toml 中没有名为 {target!r} 的告警目标。已有：{known}。"


class AlertsNowhere(FeilunError):
    """A test was asked for, and nobody is told of anything."""

    code, kind = "alerts.nowhere", "conflict"
    en = "Project {project!r} has no alert target. Add one to its feilun.toml: [[alerts.to]]"
    zh = "项目 {project!r} 没有告警目标。请在其 feilun.toml 中添加 [[alerts.to]]。"
