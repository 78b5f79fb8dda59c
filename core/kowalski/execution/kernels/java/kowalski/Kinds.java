package kowalski;

import java.util.regex.Matcher;
import java.util.regex.Pattern;
import jdk.jshell.Snippet.Kind;

/** What a complete piece of code is, as far as its first words tell; the shell's way is slow. */
final class Kinds {
    private static final String WORDS =
        "(?:(?:public|private|protected|static|final|abstract|sealed|non-sealed|default|synchronized"
        + "|strictfp|@(?!interface)[\\w.]+(?:\\([^)]*\\))?)\\s+)*";
    private static final Pattern COMMENT = Pattern.compile("//[^\\n]*|/\\*(?s:.*?)\\*/|\\s+");
    private static final Pattern IMPORT = Pattern.compile("import\\b");
    private static final Pattern TYPE =
        Pattern.compile(WORDS + "(?:class|interface|enum|@interface|record(?=\\s+\\w+\\s*[(<]))\\s+\\w+");
    private static final Pattern METHOD = Pattern.compile(
        WORDS + "(?:<[^({]*>\\s*)?(?!new\\b)[\\w.$<>\\[\\],?&\\s]+?\\s+\\w+\\s*\\([^{;]*\\)[^{;=]*\\{(?s:.*)\\}\\s*");
    private static final Pattern STATEMENT =
        Pattern.compile("\\{|(?:if|for|while|do|switch|try|throw|synchronized|assert)\\b");
    private static final Pattern ASSIGNMENT =
        Pattern.compile("[\\w.$<>\\[\\],?\\s]+?(?:[-+*/%&|^]|<<|>>>?)?=(?!=)");
    private static final String END = "\\s*;\\s*(?:(?://[^\\n]*|/\\*(?s:.*?)\\*/)\\s*)*";
    private static final Pattern CHANGE = Pattern.compile(
        "[A-Za-z_$][\\w$]*(?:\\s*\\.\\s*[A-Za-z_$][\\w$]*|\\s*\\[[^\\];]*\\])*\\s*(?:[-+*/%&|^]|<<|>>>?)?=(?!=)(?s:.*)" + END);
    private static final Pattern CALL = Pattern.compile("[A-Za-z_$](?s:.*)(?:\\)|\\+\\+|--)" + END);

    private static final Pattern INFERRED = Pattern.compile("(?:final\\s+|@[\\w.]+(?:\\([^)]*\\))?\\s*)*var\\b");

    private Kinds() {}

    /** Whether it is a variable whose type is not told. */
    static boolean isInferred(String piece) {
        return INFERRED.matcher(bare(piece)).lookingAt();
    }

    /** What comes after blanks and comments. */
    static String bare(String code) {
        Matcher blank = COMMENT.matcher(code);
        int start = 0;
        while (blank.region(start, code.length()).lookingAt()) start = blank.end();
        return code.substring(start);
    }

    /** Its kind; calls that were written as statements are ones, and so are changes of variables. */
    static Kind of(String piece) {
        String code = bare(piece);
        if (IMPORT.matcher(code).lookingAt()) return Kind.IMPORT;
        if (TYPE.matcher(code).lookingAt()) return Kind.TYPE_DECL;
        if (STATEMENT.matcher(code).lookingAt()) return Kind.STATEMENT;
        if (METHOD.matcher(code).matches()) return Kind.METHOD;
        if (CHANGE.matcher(code).matches()) return Kind.STATEMENT;
        if (ASSIGNMENT.matcher(code).lookingAt()) return Kind.VAR;
        return CALL.matcher(code).matches() ? Kind.STATEMENT : Kind.EXPRESSION;
    }
}
