package kowalski;

import java.util.List;

/** Why a run failed, as it is told. Lines and columns count from 1; 0 is an unknown one. */
final class Failure extends Exception {
    private static final long serialVersionUID = 1;

    /** What the compiler says about one place. `type` is its name for it; it is an error or a warning. */
    record Message(String severity, String type, String message, int line, int column) {}

    final String type;
    final int line;
    final int column;
    final String traceback;
    final List<Message> messages;

    Failure(String type, String message, int line, int column, String traceback) {
        this(type, message, line, column, traceback, List.of());
    }

    /** One that the compiler found. */
    Failure(String type, String message, int line, int column, String traceback, List<Message> messages) {
        super(message, null, false, false);
        this.type = type;
        this.line = line;
        this.column = column;
        this.traceback = traceback;
        this.messages = messages;
    }

    /** Whether the compiler missed something that perhaps need not be written. */
    boolean isOfForm() {
        return messages.stream().anyMatch(one -> one.type.startsWith("compiler.err.expected"));
    }
}
