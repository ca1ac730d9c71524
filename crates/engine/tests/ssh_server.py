"""An SSH server for tests, on a free port of loopback, which is printed.

It is called with the methods that let anybody in: `key`, or `PASSWORD` for that word alone. What it
is asked to run decides how it behaves.
"""

import asyncio
import sys

import asyncssh


class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def public_key_auth_supported(self):
        return method == "key"

    def validate_public_key(self, username, key):
        return True

    def password_auth_supported(self):
        return method != "key"

    def validate_password(self, username, password):
        return password == method


async def session(process):
    command = process.command
    # As the kind `frr` has it sent.
    if command == "vtysh -c 'show version'":
        process.stdout.write("Version 1\r\non two lines\r\n")
        process.exit(0)
    elif command == "nonsense":
        process.stderr.write("% Invalid input\n")
        process.exit(2)
    elif command == "status of the client":
        process.exit(255)
    elif command == "router":
        process.stdout.write("as routers do\n")
        process.close()
    elif command == "break":
        process.stdout.write("half a li")
        await process.stdout.drain()
        process.get_extra_info("connection").abort()
    elif command == "hang":
        await asyncio.sleep(600)
    elif command == "flood":
        while True:
            process.stdout.write("flood " * 10000)
            await process.stdout.drain()
    else:
        process.exit(127)


async def main():
    server = await asyncssh.create_server(
        Server,
        "127.0.0.1",
        0,
        server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")],
        process_factory=session,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    # Ends with its parent, whose pipe this is.
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


method = sys.argv[1]
asyncio.run(main())
