import { readFile } from "fs/promises";

export interface Item<T> {
  id: number;
  value?: T;
}

@sealed
export abstract class Stack<T> implements Iterable<T> {
  private items: T[] = [];

  constructor(private readonly limit = 10) {}

  async load(path: string): Promise<void> {
    const text = await readFile(path, "utf8");
    for (const line of text.split("\n")) {
      if (!line) continue;
      this.push(JSON.parse(line) as T);
    }
  }

  push(item: T): this {
    this.items.push(item);
    return this;
  }

  *[Symbol.iterator]() {
    yield* this.items;
  }
}

enum Color { Red = "#ff0000", Green = `#${"00ff00"}` }
