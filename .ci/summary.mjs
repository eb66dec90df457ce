/**
 * The last line of a build: every test and every run counted, `N passed, N failed, N skipped`. A skipped test counts as
 * a failure here, and so does a test file that could not be read.
 * Arguments: results of vitest with its exit status (`test.json=0`), and of each other run its name and that (`demo=0`).
 */
import { existsSync, readFileSync } from 'node:fs';

const total = { passed: 0, failed: 0, skipped: 0 };

for (const argument of process.argv.slice(2)) {
  const [, name, status] = /^(.*)=(\d+)$/.exec(argument);
  if (name.endsWith('.json')) addTests(name, status);
  else total[status === '0' ? 'passed' : 'failed'] += 1;
}
if (total.skipped > 0) console.log('A skipped test counts as a failure here.');
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || total.skipped > 0 || total.passed === 0 ? 1 : 0;

function addTests(file, exitStatus) {
  const results = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { testResults: [] };
  const unread = results.testResults.filter(
    ({ status, assertionResults }) =>
      status === 'failed' && assertionResults.every((test) => test.status !== 'failed'),
  );
  const failed = (results.numFailedTests ?? 0) + unread.length;
  total.passed += results.numPassedTests ?? 0;
  // What went wrong outside all tests is one more failure.
  total.failed += failed === 0 && exitStatus !== '0' ? 1 : failed;
  total.skipped += (results.numPendingTests ?? 0) + (results.numTodoTests ?? 0);
}
