/** The process entry for the editor: wiring only. Forked with a channel; its one argument is how many bytes of pictures a run's cache may hold. */
import { createMessageConnection, IPCMessageReader, IPCMessageWriter } from 'vscode-jsonrpc/node';
import { eventSender, messagesOnly, serve } from '../shared/rpc';
import { workerApi, type workerEvents } from '../shared/workerApi';
import { workerHandlers } from './handlers';
import { preferPackages } from '../engine/runtime/packages';
import { dieWithParent } from '../engine/launcher/parent';

const log = (text: string) => void process.stderr.write(`${text}\n`);

if (process.send) {
  dieWithParent();
  preferPackages(process.env['RAVL_PACKAGES'], log);
  const connection = createMessageConnection(
    messagesOnly(new IPCMessageReader(process), () => log('The editor sent something that is no message.')),
    new IPCMessageWriter(process),
  );
  serve(connection, workerApi, workerHandlers(eventSender<typeof workerEvents>(connection), Number(process.argv[2] ?? 0), log));
  connection.listen();
} else {
  log('This is the part of RaVL that the editor starts; in a terminal, use ravl.');
  process.exitCode = 1;
}
