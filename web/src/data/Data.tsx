// The data under the models: labels that look wrong, and everything people have said.
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { useName } from "../app/Shell";
import { Page, Twin } from "../kit/parts";
import { Add } from "./Add";
import { Doubts } from "./Doubts";
import { Feedback } from "./Feedback";
import { Found } from "./Found";
import "./data.css";

export default function Data() {
  const { t } = useTranslation();
  const name = useName();
  return (
    <Page
      title={t("data.title")}
      lead={t("data.lead")}
      action={<Link to={`/projects/${encodeURIComponent(name)}/data/snapshots`}>{t("data.snapshots")} →</Link>}
    >
      <Found name={name} />
      <Add name={name} />
      <Doubts name={name} />
      <Feedback name={name} />
      <Twin
        cli={`feilun data check ${name}\nfeilun data add FILE ${name}\nfeilun data doubts ${name}\nfeilun data settle EXAMPLE ${name} --label LABEL\nfeilun feedback list ${name} --latest`}
        api={`GET /v1/projects/${name}/data\nPOST /v1/projects/${name}/data\nGET /v1/projects/${name}/doubts\nGET /v1/projects/${name}/feedback?latest=true`}
      />
    </Page>
  );
}
