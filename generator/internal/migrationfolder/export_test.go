package migrationfolder

var (
	EachFolder         = eachFolder
	ForAnotherDatabase = forAnotherDatabase
	UpOnly             = upOnly
)
