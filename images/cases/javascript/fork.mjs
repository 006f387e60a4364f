// Starts a process that outlives the call: it sleeps, or, with event.spin, burns CPU.
import { spawn } from 'node:child_process';

export const handler = async (event) => {
  const command = event.spin ? 'while :; do :; done' : 'sleep 3600';
  const child = spawn('sh', ['-c', command], { detached: true, stdio: 'inherit' });
  return { pid: child.pid };
};
