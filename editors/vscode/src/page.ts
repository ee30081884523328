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
const greeting = element<HTMLElement>("greeting");
const queue = element<HTMLUListElement>("queue");
const placeholder = question.placeholder;

interface Message {
  type: "begin" | "text" | "end" | "queue" | "draft" | "refer" | "selection" | "reset";
  text?: string;
  note?: string;
  problem?: string;
  name?: string;
  items?: { id: number; text: string }[];
}

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
  const scrolled = [...answer.querySelectorAll("pre")].map((code) => code.scrollLeft);
  answer.innerHTML = markdown.render(said);
  answer.querySelectorAll("pre").forEach((code, i) => frame(code, scrolled[i] ?? 0));
  if (follow) {
    log.scrollTop = log.scrollHeight;
  }
}

const SHELLS = new Set(["bash", "console", "fish", "powershell", "sh", "shell", "zsh"]);
const COPY = ["Copy", "copy", "Copy the code"] as const;
const INSERT = ["Insert", "insert", "Insert the code at the cursor"] as const;
const APPLY = ["Apply", "apply", "Put the code where it belongs in the file, after a preview"] as const;
const NEW_FILE = ["New", "new", "Open the code as a new file"] as const;
const TERMINAL = ["Terminal", "terminal", "Type the command into the terminal, without running it"] as const;

/** Puts a head above a block of code, with its language and what can be done with it. */
function frame(code: HTMLPreElement, scrolled: number): void {
  const block = document.createElement("div");
  block.className = "block";
  const head = document.createElement("div");
  head.className = "head";
  const language = document.createElement("span");
  const name = /language-(\S+)/.exec(code.querySelector("code")?.className ?? "")?.[1] ?? "";
  language.textContent = name;
  head.append(language);
  const isCommand = SHELLS.has(name) && !(code.textContent ?? "").trim().includes("\n");
  for (const [label, type, hint] of isCommand ? [COPY, INSERT, TERMINAL] : [COPY, INSERT, APPLY, NEW_FILE]) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = label;
    button.title = hint;
    button.dataset["do"] = type;
    button.dataset["language"] = name;
    head.append(button);
  }
  code.replaceWith(block);
  block.append(head, code);
  code.tabIndex = 0; // so that the arrow keys scroll it
  code.scrollLeft = scrolled;
  code.addEventListener("scroll", () => markCut(code), { passive: true });
  markCut(code);
}

/** Shows whether lines of a block go on beyond its right side. */
function markCut(code: HTMLPreElement): void {
  const hidden = code.scrollWidth - code.clientWidth - code.scrollLeft;
  code.parentElement?.classList.toggle("cut", hidden > 1);
}
new ResizeObserver(() => log.querySelectorAll("pre").forEach(markCut)).observe(log);

function busy(is: boolean): void {
  send.hidden = is;
  stop.hidden = !is;
  question.placeholder = is ? "Enter asks this after the answer" : placeholder;
  log.setAttribute("aria-busy", String(is));
}

/** The greeting is there until something was asked. */
function greet(): void {
  greeting.hidden = log.childElementCount > 0;
}

/** Shows the questions that wait, each with a button that takes it away. */
function showQueue(items: NonNullable<Message["items"]>): void {
  queue.hidden = !items.length;
  queue.replaceChildren(
    ...items.map(({ id, text }) => {
      const item = document.createElement("li");
      const words = document.createElement("span");
      words.textContent = `Next: ${text}`;
      const remove = document.createElement("button");
      remove.type = "button";
      remove.className = "quiet";
      remove.textContent = "Remove";
      remove.addEventListener("click", () => api.postMessage({ type: "unqueue", id }));
      item.append(words, remove);
      return item;
    }),
  );
}

log.addEventListener("click", (event) => {
  const button = (event.target as HTMLElement).closest("button");
  const code = button?.closest(".block")?.querySelector("code");
  if (button && code) {
    const { do: type, language } = button.dataset;
    api.postMessage({ type, text: code.textContent ?? "", language });
  }
});

function ask(text: string): void {
  api.postMessage({ type: "ask", text, withSelection: !about.hidden && withSelection.checked });
}

greeting.addEventListener("click", (event) => {
  const { ask: text, draft, do: type } = (event.target as HTMLElement).closest("button")?.dataset ?? ({} as DOMStringMap);
  if (text) {
    ask(text);
  } else if (draft) {
    question.value = draft;
    question.focus();
  } else if (type) {
    api.postMessage({ type });
  }
});

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = question.value.trim();
  if (text) {
    ask(text);
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

/** Lets the user ask, once it is known what is selected: before, a question would go without it. */
function openBox(): void {
  if (question.disabled) {
    question.disabled = false;
    question.focus();
  }
}

window.addEventListener("message", ({ data }: MessageEvent<Message>) => {
  if (data.type === "begin") {
    add("question", data.text);
    answer = add("answer");
    said = "";
    greet();
    busy(true);
    log.scrollTop = log.scrollHeight;
  } else if (data.type === "text") {
    said += data.text ?? "";
    render();
  } else if (data.type === "end") {
    said = data.text || said;
    render();
    for (const kind of ["note", "problem"] as const) {
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
  } else if (data.type === "queue") {
    showQueue(data.items ?? []);
  } else if (data.type === "draft") {
    question.value = [data.text, question.value].filter(Boolean).join("\n");
  } else if (data.type === "refer") {
    insert(data.text ?? "");
  } else if (data.type === "selection") {
    about.hidden = !data.name;
    about.querySelector("span")!.textContent = data.name ?? "";
    openBox();
  } else if (data.type === "reset") {
    log.innerHTML = "";
    answer = undefined;
    said = "";
    greet();
    busy(false);
    question.focus();
  }
});

api.postMessage({ type: "ready" });
