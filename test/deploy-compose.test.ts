import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { allRoles } from '../cli/start.ts';
import { verbs } from '../cli/verbs.ts';
import { root } from './support/source-files.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

interface Service {
  readonly image: string;
  readonly build?: { readonly dockerfile: string };
  readonly command?: readonly string[];
  readonly user?: string;
  readonly privileged?: boolean;
  readonly network_mode?: string;
  readonly pid?: string;
  readonly ipc?: string;
  readonly devices?: unknown;
  readonly cap_add?: unknown;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly read_only?: boolean;
  readonly restart?: string;
  readonly logging?: { readonly options?: { readonly 'max-size'?: string } };
  readonly healthcheck?: { readonly test?: readonly string[]; readonly disable?: boolean; readonly interval?: string };
  readonly stop_grace_period?: string;
  readonly profiles?: readonly string[];
  readonly env_file?: readonly string[];
  readonly environment?: Readonly<Record<string, string | number>>;
  readonly volumes?: readonly (string | { readonly type: string; readonly target: string })[];
  readonly tmpfs?: readonly string[];
  readonly ports?: readonly string[];
  readonly networks: readonly string[] | Readonly<Record<string, unknown>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string; readonly required?: boolean }>>;
  readonly deploy?: {
    readonly resources?: {
      readonly limits?: { readonly cpus?: string; readonly memory?: string; readonly pids?: number };
      readonly reservations?: { readonly devices?: readonly { readonly driver: string; readonly count: number }[] };
    };
  };
  readonly 'x-no-healthcheck'?: string;
  readonly 'x-writable-root'?: string;
  readonly 'x-root'?: string;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
}

const text = read('docker-compose.yml');
const compose = parse(text, { merge: true, maxAliasCount: -1 }) as Compose;
const services = Object.entries(compose.services);
const roles = services.filter(([, { image }]) => image.startsWith('freshet:'));
const config = parse(read('deploy/freshet.cluster.yaml')) as unknown;

const networksOf = ({ networks }: Service) =>
  Array.isArray(networks) ? (networks as string[]) : Object.keys(networks);

describe.each(services)('service %s', (name, service) => {
  test('has an image of a stated version', () => {
    expect(service.image).toMatch(/^[^:]+:[^:]*\d+\.\d+\.\d+|^postgres:\d+\.\d+$/);
    expect(service.image).not.toMatch(/latest|nightly|\bmain\b/);
  });

  test('has a health check, or says why not', () => {
    if (service['x-no-healthcheck']) expect(service.healthcheck).toEqual({ disable: true });
    else {
      expect(['CMD', 'CMD-SHELL']).toContain(service.healthcheck?.test?.[0]);
      expect(service.healthcheck).toMatchObject({ interval: expect.any(String), timeout: expect.any(String) });
    }
  });

  test('has limits of CPU, memory and processes, and of its log', () => {
    expect(service.deploy?.resources?.limits).toEqual({
      cpus: expect.stringMatching(/^\d+(\.\d+)?$/),
      memory: expect.stringMatching(/^\d+[mg]$/),
      pids: expect.any(Number),
    });
    expect(service.logging?.options?.['max-size']).toBeDefined();
  });

  test('starts again by itself', () => {
    expect(service.restart).toMatch(name === 'setup' ? /^on-failure:\d+$/ : /^unless-stopped$/);
  });

  test('has no capability, cannot gain one, and shares no namespace or device with the host', () => {
    expect(service.cap_drop).toEqual(['ALL']);
    expect(service.security_opt).toContain('no-new-privileges:true');
    const { privileged, cap_add, network_mode, pid, ipc, devices } = service;
    expect({ privileged, cap_add, network_mode, pid, ipc, devices }).toEqual({});
  });

  test('is not root and writes only to its volumes, or says why not', () => {
    const isRoot = /^(0|root)(:|$)/.test(service.user ?? 'root');
    expect(isRoot).toBe(service['x-root'] !== undefined);
    expect(service.read_only === true).toBe(service['x-writable-root'] === undefined);
    for (const reason of [service['x-root'], service['x-writable-root'], service['x-no-healthcheck']])
      expect(reason ?? 'a reason in words').toMatch(/\w+ \w+ \w+/);
  });

  test('mounts nothing of the host but files of this project, read-only', () => {
    const mounts = (service.volumes ?? [])
      .filter((volume) => typeof volume === 'string')
      .filter((volume) => /^[./~$]/.test(volume));
    expect(mounts.filter((volume) => !/^\.\/deploy\/[\w/-]+:[^:]+:ro$/.test(volume))).toEqual([]);
    // The long form is for anonymous volumes only.
    expect((service.volumes ?? []).filter((volume) => typeof volume !== 'string' && volume.type !== 'volume')).toEqual(
      [],
    );
  });

  test('publishes ports on the loopback of the host only', () => {
    expect((service.ports ?? []).filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
  });

  test('takes its secrets from the environment of the one who starts it', () => {
    const secret = /password|secret|token|api_?key/i;
    const literal = Object.entries(service.environment ?? {}).filter(
      ([key, value]) => secret.test(key) && !/^\$\{\w+(:[?-][^}]*)?\}$/.test(String(value)),
    );
    expect(literal).toEqual([]);
    const files = (service.env_file ?? []).map(read).join('\n');
    expect(
      files.split('\n').filter((line) => !line.startsWith('#') && /^\w*(password|secret|token)\w*=/i.test(line)),
    ).toEqual([]);
  });

  test('waits for services by their health or their success, and only for such as have it', () => {
    for (const [other, { condition, required }] of Object.entries(service.depends_on ?? {})) {
      const target = compose.services[other];
      expect(condition).toBe(target?.['x-no-healthcheck'] ? 'service_completed_successfully' : 'service_healthy');
      // Without `required: false` the service could not start without the other's profile.
      expect(required).toBe(target?.profiles ? false : undefined);
    }
  });
});

describe('the roles of Freshet', () => {
  test('are services of their own, all of one image, and set up before they start', () => {
    const started = roles.flatMap(([, { command }]) => (command?.[0] === 'start' ? [command[2] ?? ''] : []));
    expect(started.toSorted()).toEqual([...allRoles].toSorted());
    expect(roles.map(([name]) => name).filter((name) => !started.includes(name))).toEqual(['setup']);
    expect(new Set(roles.map(([, { image }]) => image)).size).toBe(1);
  });

  test.each(roles)('%s runs read-only as user 1000 with a volume of its own for what it writes', (_name, service) => {
    expect(service).toMatchObject({ user: '1000:1000', read_only: true });
    // Anonymous, so that each replica gets its own.
    expect(service.volumes).toEqual([{ type: 'volume', target: '/data' }]);
    expect(service.tmpfs?.length).toBe(1);
    expect(service.build?.dockerfile).toBe('deploy/Dockerfile');
  });

  test.each(roles)('%s starts with a verb that there is and the mounted config', (_name, { command = [] }) => {
    expect(verbs.map((verb) => verb.name)).toContain(command[0]);
    expect(command.slice(-2)).toEqual(['--config', '/etc/freshet/freshet.yaml']);
  });

  test.each(roles)('%s has more time to stop than it takes to drain', (_name, service) => {
    const { shutdownTimeoutMs = 10_000 } = config as { shutdownTimeoutMs?: number };
    expect(Number.parseInt(service.stop_grace_period ?? '0', 10) * 1_000).toBeGreaterThan(shutdownTimeoutMs);
  });

  test('get every variable that their config names', () => {
    const named = [
      ...read('deploy/freshet.cluster.yaml')
        .replace(/^\s*#.*$/gm, '')
        .matchAll(/\$\{(\w+)\}/g),
    ].map((match) => match[1] ?? '');
    for (const [, { environment = {} }] of roles)
      expect(Object.keys(environment)).toEqual(expect.arrayContaining(named));
  });

  test('reach every host that their config names', () => {
    const hosts = [...read('deploy/freshet.cluster.yaml').matchAll(/(?:\/\/|\[)([a-z0-9-]+):\d+/g)].map(
      (match) => match[1] ?? '',
    );
    expect(hosts.length).toBeGreaterThan(5);
    const answering = hosts.map((host) => [host, networksOfHost(host)] as const);
    for (const [, role] of roles)
      for (const [host, networks] of answering)
        expect({ host, reached: networks.some((each) => networksOf(role).includes(each)) }).toEqual({
          host,
          reached: true,
        });
  });
});

/** The networks in which a name is that of a service or its alias. */
function networksOfHost(host: string): readonly string[] {
  return services.flatMap(([name, service]) => {
    if (name === host) return networksOf(service);
    return Object.entries(service.networks).flatMap(([network, attached]) =>
      (attached as { aliases?: string[] } | null)?.aliases?.includes(host) ? [network] : [],
    );
  });
}

describe('the networks', () => {
  test('let nothing in or out of the engines', () => {
    expect(compose.networks).toMatchObject({
      engines: { internal: true },
      models: { internal: true },
      metrics: { internal: true },
    });
    const engines = services.filter(
      ([, service]) => networksOf(service).includes('engines') && !roles.some(([, role]) => role === service),
    );
    expect(engines.filter(([, service]) => networksOf(service).length > 1 || service.ports)).toEqual([]);
  });

  test('give the way out to model servers and to what is published, and to no other', () => {
    const outside = Object.keys(compose.networks).filter((name) => !compose.networks[name]?.internal);
    const exposed = services.filter(([, service]) => networksOf(service).some((name) => outside.includes(name)));
    const models = services
      .filter(([, { command = [] }]) => command.some((word) => word.startsWith('--model-id=')))
      .map(([name]) => name);
    expect(exposed.map(([name]) => name).toSorted()).toEqual([...models, 'grafana', 'prometheus', 'query'].toSorted());
  });
});

describe('the profiles', () => {
  test('cpu and gpu each have a model server of their own under the same name', () => {
    const behind = services.filter(([, { networks }]) => JSON.stringify(networks).includes('"tei"'));
    expect(behind.map(([, { profiles }]) => profiles)).toEqual([['cpu'], ['gpu']]);
    const [cpu, gpu] = behind.map(([, { command }]) => command);
    expect(gpu).toEqual(cpu);
  });

  test('the model server listens where the config asks for it', () => {
    const { embedder } = config as { embedder: { url: string } };
    const { hostname, port } = new URL(embedder.url);
    const asked = services.filter(([, { networks }]) => JSON.stringify(networks).includes(`"${hostname}"`));
    for (const [, { command, healthcheck }] of asked) {
      expect(command).toContain(`--port=${port}`);
      expect(healthcheck?.test?.join(' ')).toContain(`http://localhost:${port}/health`);
    }
  });

  test('gpu reserves GPUs, and nothing else does', () => {
    const reserving = services.filter(([, { deploy }]) => deploy?.resources?.reservations?.devices);
    expect(reserving.map(([name]) => name)).toEqual(
      services.filter(([, { profiles }]) => profiles?.includes('gpu')).map(([name]) => name),
    );
    for (const [, { deploy }] of reserving)
      expect(deploy?.resources?.reservations?.devices).toEqual([{ driver: 'nvidia', count: 1, capabilities: ['gpu'] }]);
  });

  test('the model is of a stated revision', () => {
    const tei = services.filter(([, { image }]) => image.includes('text-embeddings-inference'));
    for (const [, { command = [] }] of tei)
      expect(command).toContainEqual(expect.stringMatching(/^--revision=[0-9a-f]{40}$/));
  });
});

describe('deploy/example.env', () => {
  const given = [...read('deploy/example.env').matchAll(/^(\w+)=/gm)].map((match) => match[1] ?? '');

  test('has every variable that docker-compose.yml reads, and no other', () => {
    const used = [...text.replace(/^\s*#.*$/gm, '').matchAll(/\$\{(\w+)/g)].map((match) => match[1] ?? '');
    // Read by docker compose itself.
    expect(given.toSorted()).toEqual([...new Set([...used, 'COMPOSE_PROFILES'])].toSorted());
  });

  test('is a template: what it becomes is not in the repository, nor in the image', () => {
    expect(read('.gitignore').split('\n')).toContain('.env');
    expect(read('.dockerignore').split('\n')).toContain('*');
    expect(read('.dockerignore')).not.toMatch(/^!.*\.env/m);
  });
});

describe('deploy/Dockerfile', () => {
  const lines = read('deploy/Dockerfile').split('\n');

  test('copies only what .dockerignore lets through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .flatMap((line) => (line.startsWith('!') ? [line.slice(1)] : []));
    expect(allowed.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  test('ends as a user that is not root, by number, with a health check and a stop signal', () => {
    expect(lines.filter((line) => line.startsWith('USER '))).toEqual(['USER 1000:1000']);
    expect(lines).toContain('STOPSIGNAL SIGTERM');
    expect(lines.some((line) => /^HEALTHCHECK .*CMD \["node",/.test(line))).toBe(true);
    expect(lines.some((line) => line.startsWith('ENTRYPOINT ["node",'))).toBe(true);
  });

  test('is built on a stated version of a Node.js that package.json allows', () => {
    const [, version = '0'] = /^ARG NODE_IMAGE=node:(\d+)\.\d+\.\d+-/m.exec(read('deploy/Dockerfile')) ?? [];
    const { engines, version: ours } = JSON.parse(read('package.json')) as {
      engines: { node: string };
      version: string;
    };
    expect(Number(version)).toBeGreaterThanOrEqual(Number.parseInt(engines.node.replace('>=', ''), 10));
    expect(lines).toContain(`ARG VERSION=${ours}`);
    expect(new Set(roles.map(([, { image }]) => image))).toEqual(new Set([`freshet:${ours}`]));
  });
});
