package kowalski;

import com.sun.source.tree.AssignmentTree;
import com.sun.source.tree.BlockTree;
import com.sun.source.tree.ClassTree;
import com.sun.source.tree.CompoundAssignmentTree;
import com.sun.source.tree.ExpressionTree;
import com.sun.source.tree.IdentifierTree;
import com.sun.source.tree.Tree;
import com.sun.source.tree.UnaryTree;
import com.sun.source.tree.VariableTree;
import com.sun.source.util.TreeScanner;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.lang.model.element.Modifier;
import jdk.jshell.Snippet.Kind;

/** The variables of a block that nothing may write to; the shell would let it. */
final class Finals {
    private static final Pattern FINAL = Pattern.compile("\\bfinal\\b");
    private static final String WRITES = "\\s*(?:\\+\\+|--|(?:[-+*/%&|^]|<<|>>>?)?=(?!=))";

    /** What a part writes to and does not declare itself. */
    private static final class Writes extends TreeScanner<Void, Void> {
        private final Set<String> written = new HashSet<>();
        private final Set<String> own = new HashSet<>();

        @Override
        public Void visitVariable(VariableTree variable, Void none) {
            own.add(variable.getName().toString());
            return super.visitVariable(variable, none);
        }

        @Override
        public Void visitAssignment(AssignmentTree assignment, Void none) {
            note(assignment.getVariable());
            return super.visitAssignment(assignment, none);
        }

        @Override
        public Void visitCompoundAssignment(CompoundAssignmentTree assignment, Void none) {
            note(assignment.getVariable());
            return super.visitCompoundAssignment(assignment, none);
        }

        @Override
        public Void visitUnary(UnaryTree unary, Void none) {
            switch (unary.getKind()) {
                case PREFIX_INCREMENT, PREFIX_DECREMENT, POSTFIX_INCREMENT, POSTFIX_DECREMENT ->
                    note(unary.getExpression());
                default -> { }
            }
            return super.visitUnary(unary, none);
        }

        private void note(ExpressionTree target) {
            if (target instanceof IdentifierTree) written.add(target.toString());
        }
    }

    private Finals() {}

    /** Refuse a block that writes to a variable which it has declared final, with what it holds. */
    static void refuseWrites(Block block) throws Failure {
        if (!FINAL.matcher(block.code).find()) return;
        Set<String> finals = new HashSet<>();
        Findings found = new Findings(block);
        for (Block.Part part : block.parts) {
            if (part.kind() == Kind.IMPORT) continue;
            if (!finals.isEmpty()) refuseWrites(part, finals, found);
            if (part.kind() == Kind.VAR) finals.addAll(declared(part));
        }
        if (found.hasErrors()) throw found.failure();
    }

    private static void refuseWrites(Block.Part part, Set<String> finals, Findings found) {
        Writes writes = new Writes();
        writes.scan(members(part), null);
        for (String name : writes.written) {
            if (!finals.contains(name) || writes.own.contains(name)) continue;
            String quoted = Pattern.quote(name);
            Matcher place = Pattern.compile(
                "(?<![\\w$.])" + quoted + WRITES + "|(?:\\+\\+|--)\\s*" + quoted + "\\b").matcher(part.code());
            int at = place.find() ? place.start() : 0;
            found.error(part.offset() - part.shift() + at, "compiler.err.cant.assign.val.to.var",
                "cannot assign a value to final variable " + name);
        }
    }

    private static List<String> declared(Block.Part part) {
        List<String> names = new ArrayList<>();
        List<? extends Tree> own = members(part);
        List<Tree> members = new ArrayList<>(own);
        // Where a class may not have a `var`.
        for (Tree member : own) {
            if (member instanceof BlockTree) members.addAll(((BlockTree) member).getStatements());
        }
        for (Tree member : members) {
            if (!(member instanceof VariableTree)) continue;
            VariableTree variable = (VariableTree) member;
            boolean isFinal = variable.getModifiers().getFlags().contains(Modifier.FINAL);
            if (isFinal && variable.getInitializer() != null) names.add(variable.getName().toString());
        }
        return names;
    }

    /** A part as what a class has: statements stand in an initialiser there. */
    private static List<? extends Tree> members(Block.Part part) {
        Syntax syntax = Syntax.of("class $ {" + part.code() + "\n}");
        if (!syntax.problems().isEmpty()) syntax = Syntax.of("class $ {{" + part.code() + "\n;}}");
        for (Tree type : syntax.types()) {
            if (type instanceof ClassTree) return ((ClassTree) type).getMembers();
        }
        return List.of();
    }
}
