package kowalski;

import java.util.ArrayList;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** The packages that shells import unasked: each once a block names a type that is in it. */
final class Imports {
    private static final Pattern TYPE = Pattern.compile("(?<![\\w.$])[A-Z]\\w*");
    private static final List<String> PACKAGES = List.of(
        "java.io", "java.math", "java.net", "java.nio.file", "java.util", "java.util.concurrent",
        "java.util.function", "java.util.prefs", "java.util.regex", "java.util.stream");

    private final List<String> left = new ArrayList<>(PACKAGES);

    /** The packages that `code` may need and that no code before it did. */
    List<String> wanted(String code) {
        Set<String> types = new LinkedHashSet<>();
        for (Matcher found = TYPE.matcher(code); found.find(); ) types.add(found.group());
        List<String> wanted = new ArrayList<>();
        for (String name : left) {
            if (types.stream().anyMatch(type -> exists(name + "." + type))) wanted.add(name);
        }
        left.removeAll(wanted);
        return wanted;
    }

    private static boolean exists(String name) {
        try {
            Class.forName(name, false, ClassLoader.getPlatformClassLoader());
            return true;
        } catch (ClassNotFoundException none) {
            return false;
        }
    }
}
