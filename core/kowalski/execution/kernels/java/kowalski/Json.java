package kowalski;

/** The little JSON that the kernel writes. */
final class Json {
    private static final int PREVIEW_CHARACTERS = 80;

    private Json() {}

    /** A variable, with its type and the beginning of its value. */
    static String described(String name, String type, String value) {
        String preview = value == null ? "null" : value.replaceAll("\\s+", " ");
        if (preview.length() > PREVIEW_CHARACTERS) preview = preview.substring(0, PREVIEW_CHARACTERS);
        return "{\"name\":" + quoted(name) + ",\"type\":" + quoted(type)
            + ",\"preview\":" + quoted(preview) + "}";
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
