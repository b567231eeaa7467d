"""Words that name nobody, and without which a path or a command line says nothing."""

from __future__ import annotations

__all__ = ["KEPT"]

KEPT = frozenset(
    """
    bat bin bmp cfg cmd com conf cpl css csv dat db dll doc docx drv etc exe gif gz htm html ico
    inf ini jpg js json lib lnk log msc msi net ocx org pdf pf plist png ppt pptx ps1 py rpm rtf sh
    so sys tar tlb tmp txt url vbs wav xls xlsx xml zip

    appdata application applications cache common data dev drivers home library local locallow
    microsoft opt prefetch private proc program programdata programs roaming root run sbin share
    system system32 syswow64 temp usr users var volumes windows winsxs x86

    classes control controlset001 currentcontrolset currentversion hkey machine policies registry
    services software user

    authority ipv4 localhost md5 network nt process service tcp udp
    http https
    modulestore
    """.split()
)
"""In lower case. A stand-in is none of them."""
