/** The chat's page: questions and answers as Markdown with highlighted code, by keyboard alone if need be. */
import hljs from "highlight.js/lib/common";
import MarkdownIt from "markdown-it";

interface Api {
  postMessage(message: unknown): void;
}
declare function acquireVsCodeApi(): Api;

const api = acquireVsCodeApi();
const markdown = new MarkdownIt({
  html: false,
  linkify: false,
  highlight: (code, language) =>
    hljs.getLanguage(language) ? hljs.highlight(code, { language, ignoreIllegals: true }).value : "",
});

function element<T extends HTMLElement>(id: string): T {
  return document.getElementById(id) as T;
}
const log = element<HTMLElement>("log");
const form = element<HTMLFormElement>("form");
const question = element<HTMLTextAreaElement>("question");
const send = element<HTMLButtonElement>("send");
const stop = element<HTMLButtonElement>("stop");
const about = element<HTMLLabelElement>("about");
const withSelection = element<HTMLInputElement>("with");

let answer: HTMLElement | undefined;
let said = "";

function add(kind: string, text = ""): HTMLElement {
  const block = document.createElement("article");
  block.className = kind;
  block.textContent = text;
  log.append(block);
  return block;
}

/** Whether the reader is at the end: only then is the end followed. */
function atEnd(): boolean {
  return log.scrollHeight - log.scrollTop - log.clientHeight < 40;
}

function render(): void {
  if (!answer) {
    return;
  }
  const follow = atEnd();
  answer.innerHTML = markdown.render(said);
  for (const block of answer.querySelectorAll("pre")) {
    const tools = document.createElement("div");
    tools.className = "tools";
    for (const [name, type] of [["Copy", "copy"], ["Insert", "insert"]] as const) {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = name;
      button.dataset["do"] = type;
      tools.append(button);
    }
    block.prepend(tools);
  }
  if (follow) {
    log.scrollTop = log.scrollHeight;
  }
}

function busy(is: boolean): void {
  send.hidden = is;
  stop.hidden = !is;
  log.setAttribute("aria-busy", String(is));
}

log.addEventListener("click", (event) => {
  const button = (event.target as HTMLElement).closest("button");
  const code = button?.closest("pre")?.querySelector("code");
  if (button && code) {
    api.postMessage({ type: button.dataset["do"], text: code.textContent ?? "" });
  }
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = question.value.trim();
  if (text && !send.hidden) {
    api.postMessage({ type: "ask", text, withSelection: !about.hidden && withSelection.checked });
    question.value = "";
  }
});

question.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    form.requestSubmit();
  } else if (event.key === "Escape") {
    api.postMessage({ type: "stop" });
  }
});
stop.addEventListener("click", () => api.postMessage({ type: "stop" }));
element("refer").addEventListener("click", () => api.postMessage({ type: "refer" }));

/** Puts words where the cursor is in the question, apart from what is around them. */
function insert(words: string): void {
  const { selectionStart: start, selectionEnd: end, value } = question;
  const before = start > 0 && !/\s$/.test(value.slice(0, start)) ? " " : "";
  question.setRangeText(`${before}${words} `, start, end, "end");
  question.focus();
}

window.addEventListener("message", ({ data }: MessageEvent<Record<string, string>>) => {
  if (data["type"] === "begin") {
    add("question", data["text"]);
    answer = add("answer");
    said = "";
    busy(true);
    log.scrollTop = log.scrollHeight;
  } else if (data["type"] === "text") {
    said += data["text"] ?? "";
    render();
  } else if (data["type"] === "end") {
    said = data["text"] || said;
    render();
    for (const kind of ["note", "problem"]) {
      if (data[kind]) {
        add(kind, data[kind]);
      }
    }
    if (!said && answer) {
      answer.remove();
    }
    answer = undefined;
    busy(false);
    log.scrollTop = log.scrollHeight;
  } else if (data["type"] === "busy") {
    question.value = data["text"] ?? ""; // to be asked once the answer is there
    stop.focus();
  } else if (data["type"] === "refer") {
    insert(data["text"] ?? "");
  } else if (data["type"] === "selection") {
    about.hidden = !data["name"];
    about.querySelector("span")!.textContent = data["name"] ?? "";
  } else if (data["type"] === "reset") {
    log.innerHTML = "";
    answer = undefined;
    said = "";
    busy(false);
    question.focus();
  }
});

api.postMessage({ type: "ready" });
question.focus();
