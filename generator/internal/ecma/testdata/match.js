// Reads {"pattern", "texts"}, one a line, and writes how the engine of ECMA-262
// sees them: the flags, and for each text whether the pattern is found in it,
// null where that takes too long.
const vm = require('vm');
const lines = require('readline').createInterface({input: process.stdin});
const context = vm.createContext({});
// With the flag u a match begins at a whole character (ECMA-262, RegExpBuiltinExec
// with AdvanceStringIndex). V8 also finds an empty one between the halves of a
// surrogate pair: /(?<!.)(?!.)/u in '😀' at 1. Such a match is passed over.
const test = new vm.Script(`{
  const inPair = i => /[\uD800-\uDBFF]/.test(text[i - 1] || '') && /[\uDC00-\uDFFF]/.test(text[i] || '');
  re.lastIndex = 0;
  let m = re.exec(text);
  while (m && re.unicode && inPair(m.index)) {
    re.lastIndex = m.index + 1;
    m = re.exec(text);
  }
  m !== null;
}`);
lines.on('line', line => {
  const {pattern, texts} = JSON.parse(line);
  for (const flags of ['u', '']) {
    let re;
    try {
      re = new RegExp(pattern, flags + 'g'); // g: it searches from lastIndex
    } catch (e) {
      continue; // not with these flags
    }
    let slow = 0;
    console.log(JSON.stringify({flags, found: texts.map(text => {
      if (slow > 2) return null;
      try {
        Object.assign(context, {re, text});
        return test.runInContext(context, {timeout: 200});
      } catch (e) {
        slow++;
        return null;
      }
    })}));
    return;
  }
  console.log(JSON.stringify({flags: 'none', found: []}));
});
