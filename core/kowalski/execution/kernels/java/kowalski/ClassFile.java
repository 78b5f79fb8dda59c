package kowalski;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.function.IntUnaryOperator;
import java.util.function.UnaryOperator;

/** A compiled class whose calls, names and lines can be changed before it is loaded. */
final class ClassFile {
    private static final int HEADER_BYTES = 8;
    private static final int UTF8 = 1;
    private static final int LONG = 5;
    private static final int DOUBLE = 6;
    private static final int CLASS = 7;
    private static final int STRING = 8;
    private static final int METHOD = 10;
    private static final String CODE = "Code";
    // What reads lambdas back knows them by their names' hashes, after these many bytes.
    private static final String READING = "$deserializeLambda$";
    private static final int SWITCH = 11;
    private static final byte INVOKESTATIC = (byte) 0xb8;

    private final byte[] bytes;
    private final int[] places;
    private final String[] texts;
    private final int end;
    private final ByteArrayOutputStream appended = new ByteArrayOutputStream();
    private int count;

    ClassFile(byte[] original) {
        bytes = original.clone();
        count = number(HEADER_BYTES);
        places = new int[count];
        texts = new String[count];
        int at = HEADER_BYTES + 2;
        for (int i = 1; i < count; i++) {
            places[i] = at;
            int tag = bytes[at];
            if (tag == UTF8) texts[i] = text(at + 1);
            at += 1 + size(tag, at + 1);
            if (tag == LONG || tag == DOUBLE) i++;
        }
        end = at;
    }

    /** Lead calls of a class's methods of one name to the same ones of another class. */
    void redirect(String owner, String method, String target) {
        int found = 0;
        for (int i = 1; i < places.length; i++) {
            if (places[i] == 0 || bytes[places[i]] != METHOD) continue;
            int signature = places[number(places[i] + 3)];
            if (!owner.equals(texts[number(places[number(places[i] + 1)] + 1)])) continue;
            if (!method.equals(texts[number(signature + 1)])) continue;
            if (found == 0) found = appendedClass(target);
            put(places[i] + 1, found);
        }
    }

    /** Give other names to what is named, in strings too, but for those with blanks: they are texts. */
    void rename(UnaryOperator<String> renamed) {
        Set<Integer> held = new HashSet<>();
        for (int i = 1; i < places.length; i++) {
            if (places[i] != 0 && bytes[places[i]] == STRING) held.add(number(places[i] + 1));
        }
        Map<Integer, Integer> hashes = new HashMap<>();
        for (int i = 1; i < texts.length; i++) {
            boolean isText = held.contains(i) && texts[i].chars().anyMatch(Character::isWhitespace);
            if (texts[i] == null || isText) continue;
            String name = renamed.apply(texts[i]);
            if (held.contains(i)) hashes.put(texts[i].hashCode(), name.hashCode());
            texts[i] = name;
        }
        int read = held.isEmpty() ? 0 : method(READING);
        if (read == 0) return;
        // Newer shells ask first whether to stop.
        int asked = bytes[read] == INVOKESTATIC ? 3 : 0;
        new Switch(bytes, read, SWITCH + asked).replace(hashes);
    }

    /** Tell which file it comes from, and the lines there for those that it has. */
    void locate(String file, IntUnaryOperator lines) {
        int at = end + 6;
        at += 2 + 2 * number(at);
        for (int kind = 0; kind < 2; kind++) {
            int members = number(at);
            at += 2;
            for (int i = 0; i < members; i++) at = located(at + 6, file, lines);
        }
        located(at, file, lines);
    }

    /** Where the instructions of a method begin; 0 if there is none of this name. */
    private int method(String name) {
        int at = end + 6;
        at += 2 + 2 * number(at);
        for (int kind = 0; kind < 2; kind++) {
            int members = number(at);
            at += 2;
            for (int i = 0; i < members; i++) {
                boolean isSought = kind == 1 && name.equals(texts[number(at + 2)]);
                int attributes = number(at + 6);
                at += 8;
                for (int j = 0; j < attributes; j++) {
                    if (isSought && CODE.equals(texts[number(at)])) return at + 14;
                    at += 6 + (number(at + 2) << 16 | number(at + 4));
                }
            }
        }
        return 0;
    }

    byte[] bytes() {
        ByteArrayOutputStream made = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(made);
        try {
            out.write(bytes, 0, HEADER_BYTES);
            out.writeShort(count);
            for (int i = 1; i < places.length; i++) {
                if (places[i] == 0) continue;
                if (texts[i] == null) {
                    out.write(bytes, places[i], 1 + size(bytes[places[i]], places[i] + 1));
                } else {
                    out.writeByte(UTF8);
                    out.writeUTF(texts[i]);
                }
            }
            appended.writeTo(out);
            out.write(bytes, end, bytes.length - end);
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
        return made.toByteArray();
    }

    /** Go through a table of attributes; where it ends. */
    private int located(int table, String file, IntUnaryOperator lines) {
        int attributes = number(table);
        int at = table + 2;
        for (int i = 0; i < attributes; i++) {
            String name = texts[number(at)];
            int start = at + 6;
            if (name.equals(CODE)) {
                int code = start + 8 + (number(start + 4) << 16 | number(start + 6));
                located(code + 2 + 8 * number(code), file, lines);
            } else if (name.equals("SourceFile")) {
                put(start, appendedText(file));
            } else if (name.equals("LineNumberTable")) {
                for (int line = start + 4; line < start + 2 + 4 * number(start); line += 4) {
                    put(line, lines.applyAsInt(number(line)));
                }
            }
            at = start + (number(at + 2) << 16 | number(at + 4));
        }
        return at;
    }

    private int appendedClass(String name) {
        int text = appendedText(name);
        append(CLASS);
        append(text >> 8);
        append(text);
        return count++;
    }

    private int appendedText(String text) {
        try {
            append(UTF8);
            new DataOutputStream(appended).writeUTF(text);
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
        return count++;
    }

    private void append(int one) {
        appended.write(one);
    }

    private String text(int at) {
        try {
            return new DataInputStream(new ByteArrayInputStream(bytes, at, bytes.length - at)).readUTF();
        } catch (IOException impossible) {
            throw new IllegalStateException(impossible);
        }
    }

    /** How many bytes a constant's content has. */
    private int size(int tag, int at) {
        if (tag == UTF8) return 2 + number(at);
        if (tag == LONG || tag == DOUBLE) return 8;
        if (tag == CLASS || tag == STRING || tag == 16 || tag == 19 || tag == 20) return 2;
        // A method's handle.
        return tag == 15 ? 3 : 4;
    }

    private int number(int at) {
        return (bytes[at] & 255) << 8 | bytes[at + 1] & 255;
    }

    private void put(int at, int number) {
        bytes[at] = (byte) (number >> 8);
        bytes[at + 1] = (byte) number;
    }
}
