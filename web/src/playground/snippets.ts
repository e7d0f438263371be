// The same question from a shell, from Python and from JavaScript; the key comes from the environment, never from here.
export type Snippet = "curl" | "python" | "javascript";

export const LANGUAGES: { value: Snippet; label: string }[] = [
  { value: "curl", label: "curl" },
  { value: "python", label: "Python" },
  { value: "javascript", label: "JavaScript" },
];

type Asked = { name: string; text: string; origin: string };

export function snippet(language: Snippet, asked: Asked): string {
  return { curl, python, javascript }[language](asked);
}

function curl({ name, text, origin }: Asked): string {
  const body = JSON.stringify({ inputs: [{ text }] }).replaceAll("'", "'\\''");
  return `curl -s ${origin}/v1/projects/${name}/predictions \\
  -H "Authorization: Bearer $FEILUN_KEY" \\
  -H 'Content-Type: application/json' \\
  -d '${body}'`;
}

function python({ name, text, origin }: Asked): string {
  return `import json, os, urllib.request

request = urllib.request.Request(
    "${origin}/v1/projects/${name}/predictions",
    data=json.dumps({"inputs": [{"text": ${JSON.stringify(text)}}]}).encode(),
    headers={"Authorization": f"Bearer {os.environ['FEILUN_KEY']}", "Content-Type": "application/json"},
)
with urllib.request.urlopen(request) as reply:
    print(json.load(reply)["predictions"][0]["label"])`;
}

function javascript({ name, text, origin }: Asked): string {
  return `const reply = await fetch("${origin}/v1/projects/${name}/predictions", {
  method: "POST",
  headers: { Authorization: \`Bearer \${process.env.FEILUN_KEY}\`, "Content-Type": "application/json" },
  body: JSON.stringify({ inputs: [{ text: ${JSON.stringify(text)} }] }),
});
const { predictions } = await reply.json();
console.log(predictions[0].label);`;
}
