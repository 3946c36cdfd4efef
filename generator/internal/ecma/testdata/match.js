// Reads {"pattern", "texts"}, one a line, and writes how the engine of ECMA-262
// sees them: the flags, and for each text whether the pattern is found in it,
// null where that takes too long.
const vm = require('vm');
const lines = require('readline').createInterface({input: process.stdin});
const context = vm.createContext({});
const test = new vm.Script('re.test(text)');
lines.on('line', line => {
  const {pattern, texts} = JSON.parse(line);
  for (const flags of ['u', '']) {
    let re;
    try {
      re = new RegExp(pattern, flags);
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
