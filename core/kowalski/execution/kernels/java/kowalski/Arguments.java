package kowalski;

import java.util.List;

/** What the program of the current run is given on its command line. */
public final class Arguments {
    private static volatile String[] given = {};

    private Arguments() {}

    static void set(List<String> words) {
        given = words.toArray(new String[0]);
    }

    /** An array of its own for each `main`. */
    public static String[] given() {
        return given.clone();
    }
}
