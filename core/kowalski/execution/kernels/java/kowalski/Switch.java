package kowalski;

import java.nio.ByteBuffer;
import java.util.Map;
import java.util.TreeMap;

/** An instruction of a compiled method that goes on by a number. */
final class Switch {
    private static final int TABLE = 0xaa;
    private static final int LOOKUP = 0xab;

    private final ByteBuffer bytes;
    private final int kind;
    private final int cases;

    /** The one at an offset of a method whose instructions begin at `start`. */
    Switch(byte[] compiled, int start, int offset) {
        bytes = ByteBuffer.wrap(compiled);
        kind = bytes.get(start + offset) & 255;
        // After padding comes what is done by default.
        cases = start + offset + 4 - offset % 4 + 4;
    }

    /** Have it know other numbers in place of some. */
    void replace(Map<Integer, Integer> numbers) {
        if (kind == TABLE) {
            int low = bytes.getInt(cases);
            int by = numbers.getOrDefault(low, low) - low;
            bytes.putInt(cases, low + by).putInt(cases + 4, bytes.getInt(cases + 4) + by);
        } else if (kind == LOOKUP) {
            Map<Integer, Integer> targets = new TreeMap<>();
            int at = cases + 4;
            for (int i = bytes.getInt(cases); i > 0; i--, at += 8) {
                int number = bytes.getInt(at);
                targets.put(numbers.getOrDefault(number, number), bytes.getInt(at + 4));
            }
            bytes.position(cases + 4);
            targets.forEach((number, target) -> bytes.putInt(number).putInt(target));
        }
    }
}
