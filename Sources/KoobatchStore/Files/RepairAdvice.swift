/// How to save what can be read of a damaged database, with the `sqlite3` shell of Debian 12.
///
/// Its `.recover` fails ("SQL logic error"). `.dump` goes on behind a damaged page, from the other end of the table, and
/// then has the copy rolled back, which `sed` takes out.
public enum RepairAdvice {
    /// The end of a sentence.
    public static func text(_ path: String) -> String {
        "save what can be read: \(recipe(path, to: "mended.db")), then have mended.db checked with: koobatch migrate --database $PWD/mended.db"
    }

    /// The commands of a shell.
    public static func recipe(_ path: String, to copy: String) -> String {
        "sqlite3 \(path) .dump | sed 's/^ROLLBACK; -- due to errors$/COMMIT;/' | sqlite3 \(copy)"
    }
}
