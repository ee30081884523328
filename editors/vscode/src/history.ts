/** Conversations that are kept with the workspace, so that they go on where they were left. */
import * as vscode from "vscode";

export interface Turn {
  question: string;
  answer: string;
}

export interface Conversation {
  readonly id: string;
  readonly turns: readonly Turn[];
  /** When something was last said in it, in milliseconds since 1970. */
  readonly at: number;
}

const KEY = "codegemma.conversations";
const MOST = 30;
const REMOVE: vscode.QuickInputButton = { iconPath: new vscode.ThemeIcon("trash"), tooltip: "Forget this conversation" };

type Entry = vscode.QuickPickItem & { conversation: Conversation };

export class History {
  constructor(private readonly memento: vscode.Memento) {}

  /** All of them, the latest first. */
  all(): readonly Conversation[] {
    return this.memento.get<Conversation[]>(KEY, []);
  }

  /** Keeps a conversation as it is now, in the place of what it was. */
  async keep(conversation: Conversation): Promise<void> {
    const others = this.all().filter(({ id }) => id !== conversation.id);
    await this.memento.update(KEY, [conversation, ...others].slice(0, MOST));
  }

  async forget(conversation: Conversation): Promise<void> {
    await this.memento.update(
      KEY,
      this.all().filter(({ id }) => id !== conversation.id),
    );
  }

  /** Lets the user choose one, or forget some, of which `forgotten` hears. */
  async pick(forgotten: (id: string) => Promise<void>): Promise<Conversation | undefined> {
    const pick = vscode.window.createQuickPick<Entry>();
    pick.title = "CodeGemma: earlier conversations";
    pick.placeholder = "Go on with a conversation";
    pick.items = this.entries();
    pick.matchOnDetail = true;
    return new Promise((resolve) => {
      pick.onDidTriggerItemButton(async ({ item }) => {
        await this.forget(item.conversation);
        await forgotten(item.conversation.id);
        pick.items = this.entries();
      });
      pick.onDidAccept(() => {
        const chosen = (pick.selectedItems[0] ?? pick.activeItems[0])?.conversation.id;
        resolve(this.all().find(({ id }) => id === chosen)); // as it is now
        pick.hide();
      });
      pick.onDidHide(() => {
        resolve(undefined);
        pick.dispose();
      });
      pick.show();
    });
  }

  private entries(): Entry[] {
    return this.all().map((conversation) => ({
      label: (conversation.turns[0]?.question ?? "").replace(/\s+/g, " ").slice(0, 80),
      description: new Date(conversation.at).toLocaleString(),
      detail: (conversation.turns.at(-1)?.answer ?? "").replace(/\s+/g, " ").slice(0, 120),
      buttons: [REMOVE],
      conversation,
    }));
  }
}
