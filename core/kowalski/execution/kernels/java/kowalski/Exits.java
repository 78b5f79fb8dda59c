package kowalski;

/** `System.exit` in a session: it ends the block, and the session lives on. */
public final class Exits {
    /** Unwinds the program. */
    static final class Exited extends Error {
        private static final long serialVersionUID = 1;

        Exited() {
            super("exit", null, false, false);
        }
    }

    private static volatile Integer code;
    private static volatile boolean forGood;

    private Exits() {}

    /** A run begins; `last`: it may end the process. */
    static void expect(boolean last) {
        code = null;
        forGood = last;
    }

    /** What the program wants to exit with; null if it does not. */
    static Integer code() {
        return code;
    }

    /** What the program calls in place of `System.exit`. */
    public static void exit(int status) {
        if (forGood) System.exit(status);
        code = status & 255;
        throw new Exited();
    }

    /** Lead a class's calls of `System.exit` here. */
    static void redirect(ClassFile compiled) {
        compiled.redirect("java/lang/System", "exit", "kowalski/Exits");
    }
}
