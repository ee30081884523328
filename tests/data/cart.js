// A shopping cart: items by id, totals, and a discount that applies from a given sum.

class Cart {
  constructor(discountFrom = 100, discount = 0.1) {
    this.items = new Map();
    this.discountFrom = discountFrom;
    this.discount = discount;
  }

  add(id, price, count = 1) {
    const item = this.items.get(id) || { price, count: 0 };
    item.count += count;
    this.items.set(id, item);
    return this;
  }

  remove(id) {
    this.items.delete(id);
    return this;
  }

  total() {
    let sum = 0;
    for (const item of this.items.values()) {
      sum += item.price * item.count;
    }
    if (sum >= this.discountFrom) {
      sum *= 1 - this.discount;
    }
    return sum;
  }

  toJSON() {
    return { items: [...this.items], total: this.total() };
  }
}

function isEmpty(cart) {
  return cart.items.size === 0;
}

module.exports = { Cart, isEmpty };
