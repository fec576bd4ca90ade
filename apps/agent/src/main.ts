import 'reflect-metadata';
import { Tracing } from '@gwanje/tracing';
import { NestFactory } from '@nestjs/core';
import { AgentModule } from './agent.module';
import { readConfig } from './config';
import { lockFolder } from './journal/folder-lock';
import { Journal } from './journal/journal';
import { Link } from './link/link';
import { AgentLog } from './log';
import { Policy } from './policy/policy';
import { Runner } from './runner/runner';
import { launch, LAUNCHED, RESTART_CODE } from './update/launcher';
import { Updater } from './update/updater';
import { VersionStore } from './update/version-store';
import { VERSION } from './version';
import { messageOf } from './waiting';

async function main(): Promise<void> {
  const log = new AgentLog();
  try {
    // Before Nest, which would tell a wrong setting twice and with a stack.
    const config = readConfig(process.env);
    Policy.load(config.policyFile, config.ownPaths);
    if (config.update && !process.env[LAUNCHED]) {
      const versions = new VersionStore(config.dataDir, { version: VERSION, file: process.argv[1] ?? '' });
      process.exit(await launch(versions, config.update.trialMs, (line) => log.warn(line, 'launcher')));
    }
    await lockFolder(config.dataDir);
    const app = await NestFactory.createApplicationContext(AgentModule, { logger: log, abortOnError: false });
    const link = app.get(Link);
    const runner = app.get(Runner);
    let stopped = false;
    const stop = async (why: string, code = 0): Promise<void> => {
      if (stopped) return;
      stopped = true;
      log.log(`stopping: ${why}`, 'agent');
      link.stop();
      await runner.stop();
      await app.get(Journal).close();
      await app.get(Tracing).close();
      await app.close();
      log.log('stopped', 'agent');
      process.exit(code);
    };
    app.get(Updater).restart = () => void stop('a new version takes over', RESTART_CODE);
    process.on('SIGINT', () => void stop('SIGINT'));
    process.on('SIGTERM', () => void stop('SIGTERM'));
    // A parent that is gone cannot stop its agent any more.
    process.on('disconnect', () => void stop('the parent process is gone'));
    await runner.recover();
    await link.run();
  } catch (error) {
    log.fatal(messageOf(error), 'agent');
    process.exit(1);
  }
}

// An installer asks before it enrols: what is imported above has then been found to run on this machine.
if (process.argv.includes('--version')) console.log(VERSION);
else void main();
