package kowalski;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.FileDescriptor;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;

import static java.nio.charset.StandardCharsets.UTF_8;

/** Frames from the agent, at descriptor 3, and to it, at descriptor 4. */
final class Channel {
    /** One message: its kind and its fields. */
    record Frame(String kind, List<String> fields) {
        String field(int index) {
            return index < fields.size() ? fields.get(index) : "";
        }
    }

    private final DataInputStream incoming;
    private final OutputStream outgoing;

    Channel() throws ReflectiveOperationException {
        incoming = new DataInputStream(new FileInputStream(descriptor(3)));
        outgoing = new FileOutputStream(descriptor(4));
    }

    /** The next frame; null when the agent has gone. */
    Frame receive() throws IOException {
        ByteArrayOutputStream header = new ByteArrayOutputStream();
        for (int read = incoming.read(); read != '\n'; read = incoming.read()) {
            if (read < 0) return null;
            header.write(read);
        }
        String[] words = header.toString(UTF_8).split(" ");
        List<String> fields = new ArrayList<>();
        try {
            for (int i = 1; i < words.length; i++) {
                byte[] body = new byte[Integer.parseInt(words[i])];
                incoming.readFully(body);
                fields.add(new String(body, UTF_8));
            }
        } catch (EOFException gone) {
            return null;
        }
        return new Frame(words[0], fields);
    }

    /** Send one frame, as a whole. */
    synchronized void send(String kind, String... fields) throws IOException {
        StringBuilder header = new StringBuilder(kind);
        ByteArrayOutputStream bodies = new ByteArrayOutputStream();
        for (String field : fields) {
            byte[] body = field.getBytes(UTF_8);
            header.append(' ').append(body.length);
            bodies.write(body);
        }
        ByteArrayOutputStream whole = new ByteArrayOutputStream();
        whole.write(header.append('\n').toString().getBytes(UTF_8));
        bodies.writeTo(whole);
        outgoing.write(whole.toByteArray());
    }

    /** A descriptor by its number: opening its name anew may be denied inside. */
    private static FileDescriptor descriptor(int number) throws ReflectiveOperationException {
        FileDescriptor made = new FileDescriptor();
        Field field = FileDescriptor.class.getDeclaredField("fd");
        field.setAccessible(true);
        field.setInt(made, number);
        return made;
    }
}
