package kowalski;

import java.io.IOException;
import java.io.InputStream;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodHandles.Lookup;
import java.lang.invoke.MethodType;
import java.lang.reflect.Method;
import java.util.ArrayList;
import java.util.List;

/** The program's own threads: one called main, in a group whose deaths are told as Java tells them. */
public final class Turn {
    /** The main thread, which calls `body`. */
    abstract static class Main extends Thread {
        MethodHandle body;
        Object result;
        Throwable problem;

        Main(ThreadGroup group) {
            super(group, "main");
        }
    }

    /** Loaded as a hidden class, it is in no trace: the program's own method is the outermost. */
    static final class Unseen extends Main {
        Unseen(ThreadGroup group) {
            super(group);
        }

        @Override
        public void run() {
            try {
                result = body.invoke();
            } catch (Throwable thrown) {
                problem = thrown;
            }
        }
    }

    private static final class Group extends ThreadGroup {
        Group() {
            super("main");
        }

        @Override
        public void uncaughtException(Thread thread, Throwable error) {
            if (error instanceof ThreadDeath || error instanceof Exits.Exited) return;
            System.err.print("Exception in thread \"" + thread.getName() + "\" ");
            error.printStackTrace();
        }
    }

    private static final List<Group> groups = new ArrayList<>();
    private static final MethodHandle mains = mains();
    private static volatile Launch next;
    private static volatile Thread main;

    private Turn() {}

    /** A method without arguments that calls it in a thread of the program's. */
    static Method of(Launch launch) throws NoSuchMethodException {
        next = launch;
        return Turn.class.getMethod("take");
    }

    /** Call what `of` was given. */
    public static Object take() throws Throwable {
        return call(next);
    }

    /** Call it in a thread of the program's, and wait for that thread. */
    static Object call(Launch launch) throws Throwable {
        Group group = new Group();
        groups.removeIf(earlier -> earlier.activeCount() == 0);
        groups.add(group);
        Main thread = (Main) mains.invoke((ThreadGroup) group);
        thread.body = launch.body();
        thread.setContextClassLoader(launch.classes());
        main = thread;
        thread.start();
        while (thread.isAlive()) {
            try {
                thread.join();
            } catch (InterruptedException stopped) {
                // The program was told as well.
                thread.interrupt();
            }
        }
        if (thread.problem != null) throw thread.problem;
        return thread.result;
    }

    /** Wait for the threads that the program has left behind, as Java does. */
    static void awaitOthers() throws InterruptedException {
        for (Thread other = another(); other != null; other = another()) other.join();
        groups.clear();
    }

    /** End what the main thread does, where this Java still can; else ask it to. */
    static void stop() {
        Thread thread = main;
        if (thread == null) return;
        thread.interrupt();
        try {
            Thread.class.getMethod("stop").invoke(thread);
        } catch (ReflectiveOperationException gone) {
            // Since Java 20 nothing can.
            return;
        }
    }

    private static Thread another() {
        for (Group group : groups) {
            Thread[] found = new Thread[group.activeCount() + 1];
            int count = group.enumerate(found);
            for (int i = 0; i < count; i++) {
                if (found[i].isAlive() && !found[i].isDaemon()) return found[i];
            }
        }
        return null;
    }

    /** What makes a main thread. */
    private static MethodHandle mains() {
        try (InputStream file = Turn.class.getResourceAsStream("Turn$Unseen.class")) {
            Lookup unseen = MethodHandles.lookup().defineHiddenClass(file.readAllBytes(), true);
            return unseen.findConstructor(
                unseen.lookupClass(), MethodType.methodType(void.class, ThreadGroup.class));
        } catch (IOException | ReflectiveOperationException impossible) {
            throw new IllegalStateException(impossible);
        }
    }
}
