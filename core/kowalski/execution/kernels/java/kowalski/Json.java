package kowalski;

import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.StringJoiner;

/** The JSON that the kernel writes and reads. */
final class Json {
    private static final int PREVIEW_CHARACTERS = 80;

    private final String text;
    private int at;

    /** Valid JSON: it comes from the agent. */
    Json(String text) {
        this.text = text;
    }

    /** A variable, with its type and the beginning of its value. */
    static String described(String name, String type, String value) {
        String preview = value == null ? "null" : value.replaceAll("\\s+", " ");
        if (preview.length() > PREVIEW_CHARACTERS) preview = preview.substring(0, PREVIEW_CHARACTERS);
        return "{\"name\":" + quoted(name) + ",\"type\":" + quoted(type)
            + ",\"preview\":" + quoted(preview) + "}";
    }

    /** A value of the program's as JSON. */
    static String written(Object value) {
        if (value == null || value instanceof Boolean) return String.valueOf(value);
        if (value instanceof Number) {
            double number = ((Number) value).doubleValue();
            if (!Double.isFinite(number) && !(value instanceof BigInteger || value instanceof BigDecimal)) {
                throw new IllegalArgumentException("JSON has no " + value);
            }
            return value.toString();
        }
        if (value instanceof CharSequence || value instanceof Character) return quoted(value.toString());
        if (value instanceof Map) {
            StringJoiner pairs = new StringJoiner(",", "{", "}");
            ((Map<?, ?>) value).forEach(
                (key, held) -> pairs.add(quoted(String.valueOf(key)) + ":" + written(held)));
            return pairs.toString();
        }
        StringJoiner items = new StringJoiner(",", "[", "]");
        if (value instanceof Iterable) ((Iterable<?>) value).forEach(item -> items.add(written(item)));
        else if (value.getClass().isArray()) {
            for (int i = 0; i < Array.getLength(value); i++) items.add(written(Array.get(value, i)));
        } else throw new IllegalArgumentException("JSON cannot hold a " + value.getClass().getName());
        return items.toString();
    }

    /** The value as Java has it: maps, lists, strings, Long, Double, Boolean and null. */
    Object read() {
        skipBlanks();
        char first = text.charAt(at);
        if (first == '"') return string();
        if (first == '[') {
            List<Object> list = new ArrayList<>();
            at++;
            while (more(']')) list.add(read());
            return list;
        }
        if (first == '{') {
            Map<String, Object> map = new LinkedHashMap<>();
            at++;
            while (more('}')) {
                String key = string();
                skipBlanks();
                at++;
                map.put(key, read());
            }
            return map;
        }
        int start = at;
        while (at < text.length() && ",]} \t\r\n".indexOf(text.charAt(at)) < 0) at++;
        String word = text.substring(start, at);
        if (word.equals("null")) return null;
        if (word.equals("true") || word.equals("false")) return Boolean.valueOf(word);
        boolean whole = word.length() < 19 && word.chars().noneMatch(c -> c == '.' || c == 'e' || c == 'E');
        return whole ? (Object) Long.valueOf(word) : (Object) Double.valueOf(word);
    }

    /** Whether another item follows; otherwise the end is passed. */
    private boolean more(char end) {
        skipBlanks();
        if (text.charAt(at) == ',') at++;
        skipBlanks();
        if (text.charAt(at) != end) return true;
        at++;
        return false;
    }

    private String string() {
        StringBuilder made = new StringBuilder();
        for (at++; text.charAt(at) != '"'; at++) {
            char c = text.charAt(at);
            if (c == '\\') {
                c = text.charAt(++at);
                int known = "bfnrt".indexOf(c);
                if (c == 'u') {
                    c = (char) Integer.parseInt(text.substring(at + 1, at + 5), 16);
                    at += 4;
                } else if (known >= 0) c = "\b\f\n\r\t".charAt(known);
            }
            made.append(c);
        }
        at++;
        return made.toString();
    }

    private void skipBlanks() {
        while (Character.isWhitespace(text.charAt(at))) at++;
    }

    private static String quoted(String text) {
        StringBuilder made = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') made.append('\\').append(c);
            else if (c < ' ' || Character.isSurrogate(c)) made.append(String.format("\\u%04x", (int) c));
            else made.append(c);
        }
        return made.append('"').toString();
    }
}
