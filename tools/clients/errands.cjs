// What the three programs share: facts of the simulator from the environment, errands by name, and
// one line of JSON that says which were done.
"use strict";
const assert = require("node:assert/strict");

const facts = JSON.parse(process.env.SIMULATOR);
const done = [];

/** Does one errand; a failure names it. */
async function errand(name, work) {
  try {
    const result = await work();
    done.push(name);
    return result;
  } catch (error) {
    throw new Error(`${name}: ${error.stack || JSON.stringify(error)}`);
  }
}

/** An errand that the vendor must refuse; gives the error. */
async function refused(name, work) {
  return errand(name, async () => {
    let answer;
    try {
      answer = await work();
    } catch (error) {
      return error;
    }
    return assert.fail(`was not refused: ${JSON.stringify(answer)}`);
  });
}

function main(work) {
  work().then(
    () => {
      console.log(JSON.stringify({ done }));
      process.exit(0);
    },
    (error) => {
      console.error(error.stack);
      process.exit(1);
    },
  );
}

module.exports = { assert, errand, facts, main, refused };
