package crossing

// TextsOf is textsOf, for tests.
var TextsOf = textsOf
