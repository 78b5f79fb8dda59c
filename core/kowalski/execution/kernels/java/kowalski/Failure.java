package kowalski;

/** Why a run failed, as it is told. Lines and columns count from 1; 0 is an unknown one. */
final class Failure extends Exception {
    private static final long serialVersionUID = 1;

    final String type;
    final int line;
    final int column;
    final String traceback;

    Failure(String type, String message, int line, int column, String traceback) {
        super(message, null, false, false);
        this.type = type;
        this.line = line;
        this.column = column;
        this.traceback = traceback;
    }
}
