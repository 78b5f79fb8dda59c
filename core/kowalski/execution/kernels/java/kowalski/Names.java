package kowalski;

import java.util.HashMap;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What the shell's classes and methods are called in place of the names that it makes up. */
final class Names {
    /** The method of a part that runs. */
    static final String MAIN = "main";

    // What a variable begins with, where the shell takes it from the rest.
    private static final String INITIAL = "initial";
    private static final String WRAPPER = "Code$";
    private static final String SHELLS_MAIN = "do_it$";
    private static final Pattern SHELLS = Pattern.compile(
        "REPL[./]\\$JShell\\$(\\d+[A-Z]*(?:_\\d+[A-Z]*)*)(?:\\$([^\\d$;:<./][^$;:<./]*))?");

    private final Map<String, String> types = new HashMap<>();
    private final Set<String> taken = new HashSet<>();

    /** The part of a shell's class name that tells it from others; null for what is none. */
    static String key(String name) {
        Matcher found = SHELLS.matcher(name);
        return found.lookingAt() ? found.group(1) : null;
    }

    /** How a frame of the class and the method is told, without what holds a block's parts. */
    static String told(String type, String method) {
        if (!type.startsWith(WRAPPER)) return type + "." + method;
        int inner = type.indexOf('$', WRAPPER.length());
        String name = inner < 0 ? "" : type.substring(inner + 1) + ".";
        boolean isBlocks = method.equals(MAIN) || method.equals(INITIAL);
        return name.isEmpty() && isBlocks ? "" : name + method;
    }

    /** A text of a class file, or a class's name. */
    synchronized String renamed(String text) {
        if (text.contains(SHELLS_MAIN)) {
            return text.replace(SHELLS_MAIN + "Aux", INITIAL).replace(SHELLS_MAIN, MAIN);
        }
        if (!text.contains("$JShell$")) return text;
        return SHELLS.matcher(text).replaceAll(this::name).replace("$JShell$anonymous$", "anonymous");
    }

    private String name(MatchResult found) {
        String wrapper = WRAPPER + found.group(1);
        String type = found.group(2);
        if (type == null) return Matcher.quoteReplacement(wrapper);
        // A type that was declared anew is another one than the first.
        String name = types.computeIfAbsent(found.group(1) + "$" + type,
            key -> !type.startsWith(WRAPPER) && taken.add(type) ? type : type + "$" + found.group(1));
        return Matcher.quoteReplacement(name);
    }
}
