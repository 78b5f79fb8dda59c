package kowalski;

import java.io.IOException;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.atomic.AtomicLong;

/** Calls of the program's to its caller; each thread may have one outstanding. */
public final class Host {
    private static final AtomicLong calls = new AtomicLong();
    private static final Map<String, CompletableFuture<Object>> outstanding = new ConcurrentHashMap<>();
    private static volatile Channel channel;

    private Host() {}

    static void reach(Channel reached) {
        channel = reached;
    }

    /** Call the function `name` of the caller's with what JSON can hold, and wait for the answer. */
    public static Object call(String name, Object... given) throws IOException, InterruptedException {
        String number = String.valueOf(calls.incrementAndGet());
        CompletableFuture<Object> answer = new CompletableFuture<>();
        outstanding.put(number, answer);
        try {
            channel.send("call", number, name, Json.written(given));
            return answer.get();
        } catch (ExecutionException refused) {
            throw new IllegalStateException(name + ": " + refused.getCause().getMessage());
        } finally {
            outstanding.remove(number);
        }
    }

    static void answer(String number, String kind, String text) {
        CompletableFuture<Object> answer = outstanding.get(number);
        if (answer == null) return;
        if (kind.equals("error")) answer.completeExceptionally(new IllegalStateException(text));
        else answer.complete(kind.equals("json") ? new Json(text).read() : text);
    }
}
