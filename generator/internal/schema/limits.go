package schema

// Limits of what a run reads, so that a malicious or broken file causes an error
// message instead of using up the machine. Each limit is far above what event schemas
// need and has its own message.
const (
	// maxFileBytes bounds one file.
	maxFileBytes = 8 << 20
	// maxDepth bounds how deep values nest in one file.
	maxDepth = 200
	// maxFileValues bounds the values of one file, with YAML aliases counted
	// as often as they are used.
	maxFileValues = 500_000
	// maxProjectValues bounds the values of all files together.
	maxProjectValues = 4_000_000
	// maxSchemas bounds the schemas of all files together.
	maxSchemas = 200_000
	// maxPointers bounds the JSON Pointers of all schemas together, in bytes. The names
	// around a schema are part of its pointer, so a long one counts for each inner schema.
	maxPointers = 32 << 20
	// maxNumberLen bounds how many characters a number has.
	maxNumberLen = 10_000
	// maxFiles bounds the files of one run.
	maxFiles = 20_000
	// maxWalked bounds the folder entries that one glob looks at.
	maxWalked = 500_000
	// maxSyntaxErrors limits the findings for one file whose members are broken one by
	// one (duplicates, wrong keys).
	maxSyntaxErrors = 50
	// maxGoName bounds the Go name of an event, in bytes.
	maxGoName = 200
	// maxHints limits for how many dangling references a similar name is searched.
	// maxUnknown limits the unknown keywords reported for one file.
	maxHints   = 100
	maxUnknown = 1000
)

// tooDeep is the message for values that nest deeper than maxDepth. Each level of
// properties is two levels of values.
const tooDeep = "values are nested more than %d deep; move the inner schemas into $defs and refer to them"
