"""The words of the simulated estate: programs and what they do, modules, feeds, watchlists.

In templates, `{user}` is the user's account name, `{n}` a number that counts up, `{h}` eight hex
digits, `{host}` a name on the internet and `{sid}` the user's security identifier.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["FEEDS", "MALWARE", "MODULES", "PROGRAMS", "WATCHLISTS", "Program", "Threat"]


@dataclass(frozen=True, slots=True)
class Program:
    """An executable, who starts it, and what its processes do."""

    path: str
    company: str
    product: str
    parent: str
    """File name of the program that starts it."""
    service: bool
    """Runs as the system, not as a user."""
    commands: tuple[str, ...]
    files: tuple[str, ...]
    registry: tuple[str, ...] = ()
    ports: tuple[int, ...] = (443, 80)


@dataclass(frozen=True, slots=True)
class Threat:
    """A feed of threat reports: what its reports are called and what they look for."""

    name: str
    report: str
    title: str
    ioc_type: str


_MS, _GOOGLE = "Microsoft Corporation", "Google Inc."
_WIN = "Microsoft® Windows® Operating System"
_SOFT = r"\registry\user\{sid}\software" "\\"
_MACHINE = r"\registry\machine" "\\"
_RUN = r"microsoft\windows\currentversion" "\\"
_S32 = "c:\\windows\\system32\\"
_APPDATA = r"c:\users\{user}\appdata" "\\"
_PF = "c:\\program files\\"

PROGRAMS: dict[str, tuple[Program, ...]] = {
    "windows": (
        Program(_PF + r"google\chrome\application\chrome.exe", _GOOGLE, "Google Chrome",
                "explorer.exe", False,
                (r'"C:\Program Files\Google\Chrome\Application\chrome.exe" --type=renderer '
                 "--lang=en-US --renderer-client-id={n}",
                 r'"C:\Program Files\Google\Chrome\Application\chrome.exe" -- "https://{host}/"'),
                (_APPDATA + r"local\google\chrome\user data\default\cache\f_{h}",
                 _APPDATA + r"local\google\chrome\user data\{h}.tmp",
                 r"c:\users\{user}\downloads\report-{n}.pdf.crdownload"),
                (_SOFT + r"google\chrome\blbeacon\state",
                 _SOFT + r"google\chrome\stabilitymetrics\user_experience_metrics.{h}")),
        Program(_PF + r"microsoft office\root\office16\outlook.exe", _MS, "Microsoft Outlook",
                "explorer.exe", False,
                (r'"C:\Program Files\Microsoft Office\Root\Office16\OUTLOOK.EXE" ',),
                (_APPDATA + r"local\microsoft\outlook\{user}.ost",
                 _APPDATA + r"local\microsoft\windows\inetcache\content.outlook\{h}\invoice {n}.docx"),
                (_SOFT + r"microsoft\office\16.0\outlook\search\catalog\{h}",
                 _SOFT + r"microsoft\office\16.0\common\roaming\identities\{h}\settings")),
        Program(_PF + r"microsoft office\root\office16\winword.exe", _MS, "Microsoft Word",
                "explorer.exe", False,
                (r'"C:\Program Files\Microsoft Office\Root\Office16\WINWORD.EXE" /n '
                 r'"C:\Users\{user}\Documents\minutes {n}.docx" /o ""',),
                (r"c:\users\{user}\documents\~$nutes {n}.docx",
                 _APPDATA + r"roaming\microsoft\templates\~wrd{n}.tmp"),
                (_SOFT + r"microsoft\office\16.0\word\resiliency\documentrecovery\{h}",)),
        Program(_S32 + "svchost.exe", _MS, _WIN, "services.exe", True,
                (r"C:\Windows\system32\svchost.exe -k netsvcs",
                 r"C:\Windows\System32\svchost.exe -k LocalServiceNetworkRestricted"),
                (r"c:\windows\softwaredistribution\datastore\logs\edb{h}.log",
                 r"c:\windows\prefetch\svchost.exe-{h}.pf"),
                (_MACHINE + r"system\controlset001\services\bits\performance\{h}",
                 _MACHINE + r"software\microsoft\windows nt\currentversion\schedule\taskcache\{h}")),
        Program(_S32 + "searchprotocolhost.exe", _MS, "Windows® Search", "searchindexer.exe", True,
                (r'"C:\Windows\system32\SearchProtocolHost.exe" Global\UsGthrFltPipeMssGthrPipe{n}_ '
                 r"Global\UsGthrCtrlFltPipeMssGthrPipe{n} 1 -2147483646 "
                 r'"Software\Microsoft\Windows Search" "Mozilla/4.0 (compatible; MSIE 6.0; Windows NT; '
                 r'MS Search 4.0 Robot)" "C:\ProgramData\Microsoft\Search\Data\Temp\usgthrsvc" '
                 '"DownLevelDaemon" ',),
                (r"c:\programdata\microsoft\search\data\temp\usgthrsvc\{h}.tmp",),
                (_MACHINE + r"software\microsoft\windows search\gather\windows\systemindex\{h}",)),
        Program(_S32 + r"windowspowershell\v1.0\powershell.exe", _MS, _WIN, "cmd.exe", False,
                (r"powershell.exe -NoProfile -ExecutionPolicy Bypass -File C:\Scripts\inventory.ps1",
                 "powershell.exe -nop -w hidden -c Get-EventLog -Newest {n}"),
                (_APPDATA + r"local\microsoft\windows\powershell\startupprofiledata-{h}",
                 _APPDATA + r"local\temp\__psscriptpolicytest_{h}.ps1"),
                (_SOFT + r"microsoft\powershell\1\shellids\microsoft.powershell\{h}",)),
        Program(_S32 + "cmd.exe", _MS, _WIN, "explorer.exe", False,
                (r'C:\Windows\system32\cmd.exe /c "ipconfig /all > %TEMP%\ip{n}.txt"',
                 '"C:\\Windows\\System32\\cmd.exe" '),
                (_APPDATA + r"local\temp\ip{n}.txt",),
                (_SOFT + r"microsoft\command processor\autorun",)),
        Program(_S32 + "taskhostw.exe", _MS, _WIN, "svchost.exe", True, ("taskhostw.exe",),
                (r"c:\windows\system32\tasks\microsoft\windows\{h}",),
                (_MACHINE + r"software\microsoft\windows nt\currentversion\perflib\{n}",)),
        Program(_PF + r"mozilla firefox\firefox.exe", "Mozilla Corporation", "Firefox",
                "explorer.exe", False,
                (r'"C:\Program Files\Mozilla Firefox\firefox.exe" -contentproc --channel="{n}"',),
                (_APPDATA + r"local\mozilla\firefox\profiles\{h}.default\cache2\entries\{h}",),
                (_SOFT + r"mozilla\firefox\launcher\{h}",)),
        Program(r"c:\users\{user}\desktop\putty.exe", "Simon Tatham", "PuTTY suite", "explorer.exe",
                False, (r'"c:\users\{user}\desktop\putty.exe" ',),
                (_APPDATA + r"local\putty.rnd",),
                (_SOFT + r"simontatham\putty\sessions\jump{n}\hostname",), (22,)),
        Program(_S32 + "notepad.exe", _MS, _WIN, "explorer.exe", False,
                (r'"C:\Windows\system32\NOTEPAD.EXE" C:\Users\{user}\Desktop\todo-{n}.txt', "notepad"),
                (r"c:\users\{user}\desktop\todo-{n}.txt",),
                (_SOFT + _RUN + r"explorer\recentdocs\{h}",)),
        Program(r"c:\program files (x86)\google\update\googleupdate.exe", _GOOGLE, "Google Update",
                "services.exe", True,
                (r'"C:\Program Files (x86)\Google\Update\GoogleUpdate.exe" /ua /installsource scheduler',),
                (r"c:\program files (x86)\google\update\download\{h}\update-{n}.exe",),
                (_MACHINE + r"software\wow6432node\google\update\clientstate\{h}\lastcheckin",)),
    ),
    "linux": (
        Program("/usr/bin/bash", "", "bash", "sshd", False,
                ("bash -c 'make -j8 target-{n}'", "-bash"),
                ("/home/{user}/.bash_history", "/tmp/sh-thd.{h}")),
        Program("/usr/bin/make", "", "make", "bash", False, ("make -j8 target-{n}",),
                ("/home/{user}/build/.deps/{h}.d", "/home/{user}/build/target-{n}")),
        Program("/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "", "gcc", "make", False,
                ("/usr/lib/gcc/x86_64-linux-gnu/12/cc1 -quiet -I. -O2 -g src/unit_{n}.c "
                 "-o /tmp/cc{h}.s",),
                ("/tmp/cc{h}.s", "/home/{user}/build/obj/unit_{n}.o")),
        Program("/usr/bin/ld", "", "binutils", "make", False,
                ("ld -o target-{n} crt1.o main.o -lc",), ("/home/{user}/build/target-{n}",)),
        Program("/usr/sbin/cron", "", "cron", "systemd", True, ("/usr/sbin/CRON -f",),
                ("/var/spool/cron/crontabs/tmp.{h}",)),
        Program("/usr/bin/curl", "", "curl", "bash", False,
                ("curl -fsSL https://{host}/release-{n}.tar.gz -o /tmp/{h}.tar.gz",),
                ("/tmp/{h}.tar.gz",)),
        Program("/usr/bin/python3.11", "", "python3", "systemd", True,
                ("/usr/bin/python3 /usr/bin/unattended-upgrade", "python3 -m pip install -r r{n}.txt"),
                ("/var/lib/apt/lists/partial/{h}", "/var/log/unattended-upgrades/run-{n}.log")),
    ),
    "osx": (
        Program("/applications/safari.app/contents/macos/safari", "Apple Inc.", "Safari", "launchd",
                False, ("/Applications/Safari.app/Contents/MacOS/Safari",),
                ("/users/{user}/library/caches/com.apple.safari/fscacheddata/{h}",)),
        Program("/system/library/frameworks/coreservices.framework/support/mdworker", "Apple Inc.",
                "Spotlight", "launchd", True, ("mdworker -s mdworker -c MDSImporterWorker",),
                ("/private/var/folders/zz/{h}/c/mds/mds.lock",)),
        Program("/bin/zsh", "Apple Inc.", "zsh", "launchd", False, ("-zsh", "zsh -c 'brew update'"),
                ("/users/{user}/.zsh_history.{n}",)),
        Program("/usr/libexec/xpcproxy", "Apple Inc.", "launchd", "launchd", True,
                ("xpcproxy com.apple.mdworker.shared",), ("/private/tmp/{h}.xpc",)),
    ),
}  # fmt: skip

MALWARE = {
    "windows": Program(r"c:\users\public\{h}.exe", "", "Setup", "explorer.exe", False,
                       (r'"C:\Users\Public\{h}.exe" /quiet',),
                       (r"c:\users\{user}\documents\scan-{n}.docx.locked",
                        r"c:\users\{user}\pictures\{h}.jpg.locked")),
    "linux": Program("/tmp/.{h}", "", "Setup", "bash", False, ("/tmp/.{h} -d",),
                     ("/home/{user}/documents/scan-{n}.odt.locked", "/srv/data/{h}.db.locked")),
    "osx": Program("/private/tmp/.{h}", "", "Setup", "launchd", False, ("/private/tmp/.{h} -d",),
                   ("/users/{user}/documents/scan-{n}.pages.locked",
                    "/users/{user}/pictures/{h}.heic.locked")),
}  # fmt: skip
"""Ransomware, whose name is new each time: `{h}` in its path and its command line is the same."""

MODULES: dict[str, tuple[str, ...]] = {
    "windows": tuple(
        _S32 + f"{name}.dll"
        for name in """ntdll kernel32 kernelbase user32 gdi32 advapi32 msvcrt sechost rpcrt4 sspicli
        cryptbase shlwapi shell32 ole32 oleaut32 combase ws2_32 iphlpapi winhttp wininet urlmon
        crypt32 wintrust bcrypt dnsapi mswsock uxtheme version profapi dwmapi comctl32 imm32 msctf
        clbcatq propsys setupapi cfgmgr32 userenv wtsapi32 secur32 netapi32 nlaapi faultrep wersvc
        webservices credui prncache sndvolsso windowscodecs d3d11 dxgi mscoree clr""".split()
    ),
    "linux": tuple(
        f"/usr/lib/x86_64-linux-gnu/{name}"
        for name in """libc.so.6 libm.so.6 libpthread.so.0 libdl.so.2 libz.so.1 libssl.so.3
        libcrypto.so.3 libselinux.so.1 libcurl.so.4 libgcc_s.so.1 libstdc++.so.6 libnss_dns.so.2
        libresolv.so.2 libtinfo.so.6 libexpat.so.1 libffi.so.8""".split()
    ),
    "osx": tuple(
        f"/usr/lib/{name}.dylib"
        for name in """libsystem.b libobjc.a libc++.1 libz.1 libsqlite3 libxml2.2 libiconv.2
        libicucore.a libcompression libnetwork""".split()
    ),
}
"""Paths of the libraries that come with each operating system."""

FEEDS = (
    Threat("tor", "TOR-Node-{ioc}", "Tor exit node", "ipv4"),
    Threat("threatexchangeconnector", "txid-{n}-{word}", "Known bad domain", "dns"),
    Threat("virustotal", "{ioc}", "Detected by several engines", "md5"),
    Threat("wildfire", "Binary_{ioc}", "Malware verdict", "md5"),
    Threat("abusech", "abusech-{n}", "Botnet controller", "ipv4"),
    Threat("sans", "ISC-{word}-{n}", "Suspicious domain", "dns"),
    Threat("attackframework", "{word}-{n}", "Technique seen in attacks", "query"),
)

WATCHLISTS: tuple[tuple[str, str, str], ...] = (
    ("Newly Executed Applications", "process", "q=is_executable_image:true"),
    ("Newly Loaded Modules", "binary", "q=is_executable_image:false"),
    ("Non-System Filemods to system32", "process", "q=filemod:system32"),
    ("PowerShell with a hidden window", "process", "q=cmdline:hidden"),
    ("Newly Arrived Executables", "binary", "q=is_executable_image:true"),
    ("Unsigned binaries", "binary", "q=digsig_result:Unsigned"),
    ("Autoruns", "process", "q=regmod:currentversion\\run"),
)
"""Name, index, query."""
