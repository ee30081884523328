// What a customer is about to buy.

export interface Line {
  sku: string;
  price: number;
  quantity: number;
}

export class Cart {
  private lines: Line[] = [];

  add(line: Line): void {
    const known = this.lines.find((other) => other.sku === line.sku);
    if (known) {
      known.quantity += line.quantity;
    } else {
      this.lines.push(line);
    }
  }

  remove(sku: string): void {
    this.lines = this.lines.filter((line) => line.sku !== sku);
  }

  total(): number {
    return this.lines.reduce((sum, line) => sum + line.price * line.quantity, 0);
  }

  isEmpty(): boolean {
    return this.lines.length === 0;
  }

  toJSON(): string {
    return JSON.stringify(this.lines);
  }
}
