#ifndef KOOBATCH_SQLITE_SETTINGS_H
#define KOOBATCH_SQLITE_SETTINGS_H

#include <sqlite3.h>

/// Turns off the triggers of a connection: `sqlite3_db_config` takes variable arguments, which Swift cannot pass.
/// https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfigenabletrigger
static inline int koobatch_disable_triggers(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, (int *)0);
}

/// Has the end of the last connection not write the log back into the database file.
/// https://sqlite.org/c3ref/c_dbconfig_defensive.html#sqlitedbconfignockptonclose
static inline int koobatch_leave_log_at_close(sqlite3 *database) {
    return sqlite3_db_config(database, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)0);
}

#endif
