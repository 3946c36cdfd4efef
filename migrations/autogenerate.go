package migrations

import _ "embed"

//go:embed outbox_autogenerate.py
var autogenerate []byte

// AlembicFilter is the Python module that keeps Alembic's autogenerate from
// changing or dropping the tables. It belongs beside env.py, which has to pass
// its two functions to context.configure.
func AlembicFilter() File {
	return File{Name: "outbox_autogenerate.py", Content: text(string(autogenerate))}
}
