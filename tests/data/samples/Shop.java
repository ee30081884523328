package shop;

import java.util.List;

/** A shop. */
public class Shop<T extends Item>
    implements Iterable<T> {
    private final List<T> items;

    @Override
    public String toString() {
        var out = new StringBuilder();
        for (T item : items) {
            out.append(item.name()).append('\n');
        }
        try {
            check(items);
        } catch (IllegalStateException e) {
            return "";
        } finally {
            done();
        }
        return switch (items.size()) {
            case 0 -> "none";
            default -> out.toString();
        };
    }
}
