package admin

// PurgeWithin is Purge with another time for the last batch.
var PurgeWithin = purgeWithin
