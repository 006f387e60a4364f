"""Sockets of every family, and everybody who could be at their other end."""

import os
import socket
import struct

from kit import DENIED, Refused, attempt, by_design, denied, each, harmless

STREAM, DGRAM, RAW, SEQPACKET = 1, 2, 3, 5


@each(
    [
        ("vsock_stream", (40, STREAM, 0)), ("vsock_datagram", (40, DGRAM, 0)), ("vsock_seqpacket", (40, SEQPACKET, 0)),
        ("packet_raw", (17, RAW, 0x0300)), ("packet_datagram", (17, DGRAM, 0x0300)),
        ("alg", (38, SEQPACKET, 0)), ("key", (15, RAW, 2)), ("bluetooth", (31, RAW, 1)), ("can", (29, RAW, 1)),
        ("tipc", (30, DGRAM, 0)), ("rds", (21, SEQPACKET, 0)), ("xdp", (44, RAW, 0)), ("nfc", (39, SEQPACKET, 0)),
        ("kcm", (41, DGRAM, 0)), ("qipcrtr", (42, DGRAM, 0)), ("smc", (43, STREAM, 0)), ("pppox", (24, STREAM, 0)),
        ("llc", (26, DGRAM, 0)), ("ieee802154", (36, RAW, 0)), ("ax25", (3, DGRAM, 0)), ("ipx", (4, DGRAM, 0)),
        ("appletalk", (5, DGRAM, 0)), ("x25", (9, SEQPACKET, 0)), ("rxrpc", (33, DGRAM, 2)), ("phonet", (35, DGRAM, 0)),
        ("isdn", (34, RAW, 0)), ("caif", (37, SEQPACKET, 0)), ("mctp", (45, DGRAM, 0)), ("decnet", (12, STREAM, 0)),
        ("atm", (20, DGRAM, 0)), ("netrom", (6, SEQPACKET, 0)), ("rose", (11, SEQPACKET, 0)), ("vmci_next", (46, STREAM, 0)),
        ("inet_raw_icmp", (2, RAW, 1)), ("inet_raw_any", (2, RAW, 255)), ("inet6_raw", (10, RAW, 58)),
        ("inet_packet", (2, 10, 0x0300)), ("sctp", (2, STREAM, 132)), ("dccp", (2, 6, 33)),
    ],
    DENIED,
    gvisor=denied("EINVAL"),
)
def family(world, number, kind, protocol):
    socket.socket(number, kind, protocol).close()


@each(
    [(name, (number,)) for number, name in [
        (1, "unused"), (2, "usersock"), (3, "firewall"), (4, "sock_diag"), (5, "nflog"), (6, "xfrm"),
        (7, "selinux"), (8, "iscsi"), (9, "audit"), (10, "fib_lookup"), (11, "connector"),
        (12, "netfilter"), (14, "dnrtmsg"), (15, "kobject_uevent"), (16, "generic"),
        (18, "scsitransport"), (19, "ecryptfs"), (20, "rdma"), (21, "crypto"), (22, "smc"),
    ] if number != 15],
    DENIED,
)
def netlink(world, protocol):
    socket.socket(16, RAW, protocol).close()


@attempt(DENIED, gvisor=harmless("gVisor's own events, of which there are none"))
def netlink_kobject_uevent(world):
    socket.socket(16, RAW, 15).close()


def ask_route(message, payload, flags=0x5):
    with socket.socket(16, RAW, 0) as link:
        link.settimeout(1)
        head = struct.pack("=IHHII", 16 + len(payload), message, flags, 1, 0)
        link.send(head + payload)
        answer = link.recv(4096)
    kind, error = struct.unpack_from("=H", answer, 4)[0], struct.unpack_from("=i", answer, 16)[0]
    if kind == 2 and error < 0:
        raise OSError(-error, "")


@each(
    [
        ("new_interface", (16, bytes(16) + struct.pack("=HH", 20, 18) + struct.pack("=HH8s", 12, 1, b"dummy\0\0\0") + bytes(4), 0x605)),
        ("interface_up", (16, struct.pack("=BBHiII", 0, 0, 0, 1, 1, 1))),
        ("interface_to_the_hosts_namespace", (16, struct.pack("=BBHiII", 0, 0, 0, 1, 0, 0) + struct.pack("=HHI", 8, 19, 1))),
        ("address", (20, struct.pack("=BBBBI", 2, 24, 0, 0, 1) + struct.pack("=HH4s", 8, 2, bytes([10, 9, 8, 7])), 0x605)),
        ("route", (24, struct.pack("=BBBBBBBBI", 2, 0, 0, 0, 254, 3, 0, 1, 0) + struct.pack("=HHI", 8, 4, 1), 0x605)),
        ("neighbour", (28, struct.pack("=BBHiHBB", 2, 0, 0, 1, 128, 0, 0), 0x605)),
        ("qdisc", (36, struct.pack("=BBHiIII", 0, 0, 0, 1, 0, 0xFFFFFFFF, 0), 0x605)),
    ],
    DENIED,
    gvisor=denied("EINVAL"),
)
def route_netlink(world, message, payload, flags=0x5):
    ask_route(message, payload, flags)


@attempt(by_design("lists of network interfaces, which Node's os.networkInterfaces needs; there is only lo"))
def list_interfaces(world):
    names = [name for _, name in socket.if_nameindex()]
    # gVisor may show no more, the kernel its tunnels that are down.
    if any(name.startswith(("eth", "en", "docker", "veth", "br-", "wl")) for name in names):
        raise AssertionError(names)
    return names


@each([("IPv4", (socket.AF_INET, "127.0.0.1")), ("IPv6", (socket.AF_INET6, "::1"))],
      harmless("loopback is the sandbox's own"))
def listen_on_loopback(world, family_, address):
    with socket.create_server((address, 0), family=family_) as server:
        with socket.create_connection(server.getsockname()[:2], 1):
            server.accept()[0].close()


def connect(address, port, seconds=0.5):
    with socket.create_connection((address, port), seconds) as client:
        client.sendall(b"escape")


@attempt(DENIED)
def every_address_of_the_host_by_tcp(world):
    errors = []
    for address, port in world["tcp"]:
        try:
            connect(address, port)
            return address
        except OSError as error:
            errors.append(error)
    raise errors[0]


@attempt(DENIED)
def every_address_of_the_host_by_udp(world):
    """Datagrams tell their sender nothing: the host's decoy listens."""
    errors = []
    for address, port in world["udp"]:
        with socket.socket(socket.AF_INET, DGRAM) as client:
            try:
                client.sendto(b"escape", (address, port))
                if not address.startswith("127."):
                    return address
                errors.append(PermissionError(1, "its own loopback took it"))
            except OSError as error:
                errors.append(error)
    raise errors[0]


@each(
    [
        ("metadata_of_clouds", ("169.254.169.254", 80)),
        ("metadata_of_containers", ("169.254.170.2", 80)),
        ("bridge_of_docker", ("172.17.0.1", 2375)),
        ("bridge_of_docker_with_tls", ("172.17.0.1", 2376)),
        ("local_network", ("192.168.0.1", 80)),
        ("local_network_10", ("10.0.0.1", 443)),
        ("the_internet", ("192.0.2.1", 443)),
        ("docker_on_loopback", ("127.0.0.1", 2375)),
        ("the_platform_on_loopback", ("127.0.0.1", 8080)),
        ("mysql_on_loopback", ("127.0.0.1", 3306)),
        ("ssh_on_loopback", ("127.0.0.1", 22)),
        ("metadata_by_ipv6", ("fd00:ec2::254", 80)),
        ("link_local_ipv6", ("fe80::1", 80)),
    ],
    denied("EADDRNOTAVAIL", "EINVAL"),
)
def connect_to(world, address, port):
    connect(address, port)


@each(
    [("broadcast", ("255.255.255.255", 67)), ("multicast_mdns", ("224.0.0.251", 5353)), ("all_hosts", ("224.0.0.1", 9))],
    denied("EADDRNOTAVAIL"),
)
def send_to(world, address, port):
    with socket.socket(socket.AF_INET, DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        client.sendto(b"escape", (address, port))


@attempt(denied("EAI_AGAIN"))
def resolve_a_name(world):
    try:
        return socket.gethostbyname("metadata.google.internal")
    except socket.gaierror as error:
        raise Refused(str(error)) from error


@attempt(denied("EADDRNOTAVAIL"))
def ping(world):
    with socket.socket(socket.AF_INET, DGRAM, 1) as client:
        client.sendto(struct.pack("!BBHHH", 8, 0, 0, 0, 1), ("172.17.0.1", 0))


@attempt(DENIED)
def abstract_socket_of_the_host(world):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + world["abstract"])


@attempt(DENIED)
def unix_socket_of_the_host(world):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(world["unix"])


@each(
    [(path.strip("/").replace("/", "_").replace(".", "_").replace("-", "_"), (path,)) for path in [
        "/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock",
        "/run/podman/podman.sock", "/run/crio/crio.sock", "/run/systemd/private",
        "/run/systemd/notify", "/run/dbus/system_bus_socket", "/run/snapd.socket",
        "/var/run/mysqld/mysqld.sock", "/run/udev/control", "/run/lambda/api.sock",
    ]],
    DENIED,
)
def connect_by_path(world, path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)


@attempt(DENIED)
def find_any_socket_of_the_host(world):
    """Every socket in the file system is tried, whatever its name."""
    for top in ("/run", "/var", "/tmp", "/dev", "/etc", "/opt", "/srv", "/mnt", "/media", "/home"):
        for directory, _, names in os.walk(top):
            for name in names:
                path = os.path.join(directory, name)
                try:
                    if (os.lstat(path).st_mode & 0o170000) != 0o140000:
                        continue
                    with socket.socket(socket.AF_UNIX) as client:
                        client.connect(path)
                    return path
                except OSError:
                    pass
    raise Refused("there is none")


@each(
    [
        ("mark", (socket.SOL_SOCKET, 36, 1)),
        ("receive_buffer_beyond_the_limit", (socket.SOL_SOCKET, 33, 1 << 30)),
        ("send_buffer_beyond_the_limit", (socket.SOL_SOCKET, 32, 1 << 30)),
        ("debug", (socket.SOL_SOCKET, 1, 1)),
        ("attach_bpf", (socket.SOL_SOCKET, 50, 3)),
        ("transparent_proxy", (0, 19, 1)),
        ("replace_packet_filter", (0, 64, bytes(256))),
        ("arp_tables", (0, 96, bytes(256))),
        ("packet_filter_6", (41, 64, bytes(256))),
    ],
    denied("EINVAL", "EBADF"),
    emulated=(
        "mark", "send_buffer_beyond_the_limit", "debug", "attach_bpf", "transparent_proxy", "arp_tables",
    ),
)
def set_option(world, level, option, value):
    family_ = socket.AF_INET6 if level == 41 else socket.AF_INET
    with socket.socket(family_, STREAM) as client:
        client.setsockopt(level, option, value)


@attempt(
    harmless("it has no interface but its own loopback to bind to"),
)
def bind_to_an_interface(world):
    with socket.socket(socket.AF_INET, STREAM) as client:
        client.setsockopt(socket.SOL_SOCKET, 25, b"eth0\0")
    raise AssertionError("there is an eth0")


@attempt(harmless("a port below 1024 of its own loopback"))
def listen_on_a_low_port(world):
    socket.create_server(("127.0.0.1", 80)).close()


@attempt(harmless("the name lives in the sandbox's own network namespace"))
def abstract_socket_of_its_own(world):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0" + world["neighbour_abstract"] + "-escape")
        server.listen()


@attempt(DENIED)
def abstract_socket_of_a_neighbour(world):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect("\0" + world["neighbour_abstract"])


@attempt(DENIED)
def loopback_port_of_a_neighbour(world):
    connect("127.0.0.1", world["neighbour_port"])


@attempt(harmless("credentials are checked: it cannot claim to be root"))
def forge_credentials(world):
    left, right = socket.socketpair(socket.AF_UNIX, DGRAM)
    right.setsockopt(socket.SOL_SOCKET, 16, 1)
    try:
        left.sendmsg([b"x"], [(socket.SOL_SOCKET, 2, struct.pack("iii", 1, 0, 0))])
    except OSError as error:
        raise Refused(str(error)) from error
    _, control, _, _ = right.recvmsg(1, 256)
    for _, kind, data in control:
        if kind == 2 and struct.unpack("iii", data[:12])[1] == 0:
            raise AssertionError("it is root to its peer")
