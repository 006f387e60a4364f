'use strict';

// Makes writes to stdout and stderr complete when they return. On FIFOs Node would queue them,
// and output would arrive after the response, or be lost at the exit.
function prepareStreams() {
  for (const stream of [process.stdout, process.stderr]) {
    const handle = stream._handle;
    // Files are synchronous anyway.
    if (typeof handle?.setBlocking !== 'function') continue;
    handle.setBlocking(true);
    stream._writev = null;
    const write = stream._write;
    // gVisor answers an empty write to a host's FIFO with EINVAL.
    stream._write = function (chunk, encoding, callback) {
      if (chunk.length === 0) callback();
      else write.call(this, chunk, encoding, callback);
    };
  }
}

module.exports = { prepareStreams };
