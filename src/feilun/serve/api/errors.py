"""What can go wrong at the HTTP door itself."""

from feilun.errors import FeilunError


class RouteMissing(FeilunError):
    """Nothing lives at this address."""

    code, kind = "request.no_such_route", "missing"
    en = "There is nothing at this address. All addresses are listed in /openapi.json."
    zh = "此地址下没有内容。所有地址见 /openapi.json。"


class ConsoleNotBuilt(FeilunError):
    """The server runs from a source tree in which nobody has built the console."""

    code, kind = "console.not_built", "unavailable"
    en = "The console is not built here. In the source folder, run: make console. Then start the server again."
    zh = "控制台尚未构建。请在源码目录运行：make console，然后重新启动服务器。"


class MethodRefused(FeilunError):
    """The address exists, but not with this method."""

    code, kind = "request.method_refused", "invalid"
    en = "This address does not take {method} requests. It takes: {allowed}."
    zh = "此地址不接受 {method} 请求，只接受：{allowed}。"


class BodyMalformed(FeilunError):
    """The body cannot be read at all."""

    code, kind = "request.malformed", "invalid"
    en = "The body is not JSON in UTF-8. Send JSON with the header Content-Type: application/json."
    zh = "请求体不是 UTF-8 编码的 JSON。请发送 JSON，并带上 Content-Type: application/json。"


class BodyTooLarge(FeilunError):
    """The body is larger than [serve] max_body_mb."""

    code, kind = "request.too_large", "invalid"
    en = "The body is larger than {max_mb} MB. Send fewer messages at a time, or raise [serve] max_body_mb."
    zh = "请求体超过 {max_mb} MB。请减少每次发送的消息，或调大 [serve] max_body_mb。"


class BodyTooSlow(FeilunError):
    """The body did not arrive in time."""

    code, kind = "request.too_slow", "invalid"
    en = "The body did not arrive within {seconds} seconds. Send the request again."
    zh = "请求体未在 {seconds} 秒内到达。请重新发送。"


class HeadTooLarge(FeilunError):
    """Address and headers of a request are longer than any honest client's."""

    code, kind = "request.head_too_large", "invalid"
    en = "The address and the headers of the request are longer than {max_kb} kB. Send fewer or shorter ones."
    zh = "请求的地址与请求头超过 {max_kb} kB。请减少或缩短请求头。"


class HeadTooSlow(FeilunError):
    """The headers of a request did not arrive in time."""

    code, kind = "request.head_too_slow", "invalid"
    en = "The headers of the request did not arrive within {seconds} seconds. Send the request again."
    zh = "请求头未在 {seconds} 秒内到达。请重新发送。"


class NotHttp(FeilunError):
    """What came over the line is not HTTP/1.1."""

    code, kind = "request.not_http", "invalid"
    en = "This is not a request in HTTP/1.1. Speak HTTP here, and TLS only to a proxy in front."
    zh = "这不是 HTTP/1.1 请求。此端口只接受 HTTP；如需 TLS，请在前面设置反向代理。"


class RequestInvalid(FeilunError):
    """The body or a parameter has the wrong shape; every mistake is listed at once."""

    code, kind = "request.invalid", "invalid"
    en = "The request cannot be used as it is; {n_mistakes} mistake(s): {summary}"
    zh = "请求不符合要求，共 {n_mistakes} 处错误：{summary}"


class TooManyInputs(FeilunError):
    """More messages in one request than [serve] max_batch."""

    code, kind = "request.too_many_inputs", "invalid"
    en = "{n_inputs} inputs are more than {max_batch} in one request. Send them in parts, or raise [serve] max_batch."
    zh = "一次请求最多 {max_batch} 条输入，收到 {n_inputs} 条。请分批发送，或调大 [serve] max_batch。"


class ModelUnknown(FeilunError):
    """No model of this name answers behind /v1, or none that the key may know of."""

    code, kind = "v1.model_unknown", "missing"
    en = (
        "There is no live model {model!r} here. See which there are with GET /v1/models: "
        "give the name of a project, or the id of the model that answers in it now."
    )
    zh = "这里没有已上线的模型 {model!r}。可用 GET /v1/models 查看：请给出项目的名称，或其当前上线模型的编号。"


class FeatureRefused(FeilunError):
    """A request asks for what no model here can do; it is refused rather than left out in silence."""

    code, kind = "v1.not_supported", "invalid"
    en = "{param} is not supported: a model here reads one text and gives one answer. Leave {param} out."
    zh = "不支持 {param}：这里的模型读取一段文本，给出一个回答。请去掉 {param}。"


class NoUserMessage(FeilunError):
    """A conversation in which no user says anything."""

    code, kind = "v1.no_user_message", "invalid"
    en = "None of the {n_messages} messages has the role 'user'; the last one of that role is what is answered."
    zh = "{n_messages} 条消息中没有角色为 'user' 的消息；模型回答的是最后一条该角色的消息。"


class SchemaUnmet(FeilunError):
    """A JSON schema requires fields that an answer does not have."""

    code, kind = "v1.schema_unmet", "invalid"
    en = "The schema requires {missing}, which an answer does not have. It has: {known}."
    zh = "该 JSON Schema 要求 {missing}，但回答中没有这些字段。可用的字段：{known}。"


class DimensionsRefused(FeilunError):
    """Vectors of another length than the model makes."""

    code, kind = "v1.dimensions", "invalid"
    en = (
        "The vectors of this model have {n_hidden} numbers, and dimensions asks for {dimensions}. Leave dimensions out."
    )
    zh = "此模型的向量有 {n_hidden} 维，而 dimensions 要求 {dimensions} 维。请去掉 dimensions。"


class ProjectNotReady(FeilunError):
    """The project has no verified model on stage."""

    code, kind = "serve.not_ready", "unavailable"
    en = "Project {project!r} cannot answer yet: {reason}"
    zh = "项目 {project!r} 暂时无法回答：{reason}"


class Withheld(FeilunError):
    """A reason that a stranger gets the code of, and nothing else."""

    code, kind = "serve.withheld", "unavailable"
    en = "{about}: send an API key to read the details."
    zh = "{about}：发送 API 密钥可查看详情。"


class WorkspaceAmbiguous(FeilunError):
    """Somebody without a key asks about keys, tenants or the audit log, and the server serves several workspaces."""

    code, kind = "serve.workspace_ambiguous", "conflict"
    en = "This server serves {n_workspaces} workspaces. Send an API key of the one that is meant."
    zh = "本服务包含 {n_workspaces} 个工作区。请使用所指工作区的 API 密钥。"


class ForeignPage(FeilunError):
    """A browser sent the request on behalf of a page that is not ours, or under a name that is not this server's."""

    code, kind = "auth.foreign_page", "forbidden"
    en = "Without an API key, requests must name this server ({hosts}) and must not come from another site's page."
    zh = "没有 API 密钥时，请求必须以本服务器的名称（{hosts}）访问，且不得来自其他网站的页面。"


class CrossSite(FeilunError):
    """A signed-in browser sent what the console's own page did not ask for."""

    code, kind = "auth.cross_site", "forbidden"
    en = "A browser may send this from this server's own pages alone, with the header {header}: 1."
    zh = "浏览器只能从本服务自己的页面发送该请求，并须带有请求头 {header}: 1。"


class ServerBusy(FeilunError):
    """More requests at once than the server can work on."""

    code, kind = "serve.busy", "unavailable"
    en = "The server is working on {n_requests} requests already. Send this one again in a moment."
    zh = "服务器正在处理 {n_requests} 个请求。请稍后重试。"


class ServerError(FeilunError):
    """A bug of ours, or a part that failed in a way nobody foresaw."""

    code, kind = "feilun.internal", "unavailable"
    en = "Something went wrong inside Feilun; nothing was acknowledged. The server's log has it under {error_id}."
    zh = "Feilun 内部出错，未确认任何写入。服务器日志中的编号为 {error_id}。"


class AddressTaken(FeilunError):
    """The server cannot listen where it was told to."""

    code, kind = "serve.address_taken", "conflict"
    en = "Cannot listen on {host} port {port}: {why}. Choose another with --port (0 picks a free one)."
    zh = "无法监听 {host} 的端口 {port}：{why}。请用 --port 换一个端口（0 表示自动选取）。"


class ScopeUndeclared(FeilunError):
    """A route does not say which scope opens it; a bug that keeps the server from starting."""

    code, kind = "serve.scope_undeclared", "conflict"
    en = "These routes do not say which scope opens them: {routes}. The server does not start."
    zh = "以下路由没有声明所需权限：{routes}。服务器拒绝启动。"
