/* oxlint-disable no-console -- a script: what it prints is what it is for */
// Checks every deployment file without an engine: `node deploy/check/check.js`. One line for each check; exit 1 when one fails.
import { join } from 'node:path';
import { buildChecks, root, run } from './tool.js';

const COMPOSE = 'docker-compose.yml';
/** Every combination that somebody starts; none of them leaves out the engines. */
const PROFILES = [[], ['cpu'], ['gpu']];
const PROMETHEUS = 'deploy/prometheus';

let failed = 0;

/**
 * @param {string} name
 * @param {ReturnType<typeof run>} result
 * @param {(stdout: string) => string} [told]
 */
function report(name, { status, stdout, stderr }, told = () => '') {
  if (status === 0) {
    const words = told(stdout);
    console.log(`ok      ${name}${words && `: ${words}`}`);
    return;
  }
  failed += 1;
  console.log(`FAILED  ${name}`);
  for (const line of `${stderr}\n${stdout}`.split('\n').filter((each) => each.trim() !== ''))
    console.log(`        ${line}`);
}

const checks = buildChecks();
try {
  for (const profiles of PROFILES) {
    const name = `${COMPOSE}, ${profiles.length > 0 ? `profile ${profiles.join(', ')}` : 'no profile'}`;
    report(name, checks.check('compose', COMPOSE, 'deploy/example.env', ...profiles), (stdout) => {
      const { services } = JSON.parse(stdout);
      return `${Object.keys(services).length} services`;
    });
  }
  report('deploy/Dockerfile', checks.check('dockerfile', 'deploy/Dockerfile'), (stdout) => {
    const stages = JSON.parse(stdout);
    return `${stages.length} stages, no warning`;
  });
} finally {
  checks.remove();
}

const promtool = (...args) => run('promtool', args, { cwd: join(root, PROMETHEUS) });
const config = promtool('check', 'config', 'prometheus.yml');
if (config.status === undefined && process.env.CI !== 'true') {
  console.log('skipped prometheus: promtool is not installed (deploy/check/promtool.sh fetches it)');
} else {
  report(`${PROMETHEUS}/prometheus.yml and alerts.yml`, config);
  report(`${PROMETHEUS}/alerts.test.yml`, promtool('test', 'rules', 'alerts.test.yml'));
}

if (failed > 0) process.exit(1);
