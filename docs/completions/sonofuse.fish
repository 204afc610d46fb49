# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_sonofuse_global_optspecs
    string join \n h/help V/version
end

function __fish_sonofuse_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_sonofuse_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_sonofuse_using_subcommand
    set -l cmd (__fish_sonofuse_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c sonofuse -n "__fish_sonofuse_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -s V -l version -d 'Print version'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "run" -d 'Watch a scanner\'s video and publish a reading for what it shows'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "replay" -d 'Scores recordings and images'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "locate" -d 'Finds the B-mode and elastography views on screen images'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "simulate" -d 'Writes simulated scanner screens and the truth about them'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "check" -d 'Checks configuration, presets, model and service files without opening a device'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "doctor" -d 'Tells what this machine has for sonofuse, what is missing, and what to do'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "health" -d 'Tell by one line and an exit code whether the daemon is healthy'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "audit" -d 'Look at the audit: what the daemon was, what it showed, and what it was told'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "bench" -d 'Measures how long each step takes on this machine'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "engine" -d 'Builds, lists and checks compiled engines for an NVIDIA GPU'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "selftest" -d 'Tests the way from a picture to a score on this machine\'s GPU and processor, and writes a report'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "setup" -d 'Set a scanner up by looking: choose the source, see the found views, pin, mask, try, save as a preset'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "ctl" -d 'Give the running daemon a command: status, mark, next-patient, pause, …'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "evidence" -d 'List, show, protect and delete the snapshots and clips that were kept'
complete -c sonofuse -n "__fish_sonofuse_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l config -d 'Configuration file (default: /etc/sonofuse/sonofuse.toml if it is there)' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l preset -d 'How frames get in: the name of a preset in pipelines/, or a preset file' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l param -d 'A parameter of the preset, e.g. device=/dev/video2; may be repeated' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l model -d 'The model: a name in engines/, or a folder' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l display -d 'Show the picture with the overlay: auto (a window), none, or a GStreamer sink element' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l socket -d 'Path of the readings socket; none for no socket' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l web -d 'Serve the page, for browsers, at this address (default: [web] address, 127.0.0.1:8417)' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l frames -d 'End after N frames that were looked at; readings without a frame do not count' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l seconds -d 'End after N seconds, counted from when the model is warm' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l snapshot -d 'At the end, write what the sonographer saw last to this PNG file' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -l json -d 'Print every reading as a line of JSON'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand replay" -l stride -d 'Look at every Nth picture only' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand replay" -l model -d 'Model: a name, or the folder that holds its model.toml [default: the configured one]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand replay" -l preset -d 'Take the regions and the hard end that this preset pins, for recordings of its scanner; without it they are found in each picture' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand replay" -l overlay -d 'Write the recording with its panel, as the display shows it, into this video file (.mkv or .mp4); takes one recording' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand replay" -l config -d 'Configuration file' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand replay" -l json -d 'Print one line of JSON a reading, for every picture; without it, lines for people at a calm rate'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand replay" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand locate" -l annotate -d 'Write a copy of each image as PNG into this folder, with what was found drawn on it' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand locate" -l json -d 'Print one line of JSON an image'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand locate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l seed -d 'Number that the random generator starts at; a scenario has its own' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l out -d 'Folder for the pictures; made if it is not there' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l video -d 'Write a video file (.mkv or .mp4) instead of pictures' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l scenario -d 'Scripted exam to draw: a name from --list-scenarios, or a file. A video leaves out its changes of size and rate' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l frames -d 'How many pictures [default: 100; of a scenario all]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l skin -d 'Scanner to imitate: a name from --list-skins; "dual" for all that show two views, in turn; "all" for those that show something else as well [default: dual; with --video aixplorer-stacked; with --scenario its first]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l size -d 'Size of the screen in pixels, as 1280x720 [default: the scanner\'s own]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l fps -d 'Pictures a second of the simulated video signal [default: 60; a scenario\'s own]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l exam-seconds -d 'Length of one patient\'s exam in seconds' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l patients -d 'Spread the pictures evenly over the exams of so many patients [default: one for every 8 pictures]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l stride -d 'Take every Nth picture of the video signal from its beginning, instead of spreading them' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l force -d 'Replace what an earlier run wrote'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l list-skins -d 'Print the names of the scanners that can be imitated, and end'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -l list-scenarios -d 'Print the names of the scripted exams, and end'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand check" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand check" -l preset -d 'Presets to check instead of the configured one and all others found: names or files' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand check" -l json -d 'Print one line of JSON for each thing checked'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand doctor" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand doctor" -l report -d 'Write an archive (tar) to send to somebody who helps: findings, configuration, the daemon\'s status and the service\'s journal, without names, addresses, passwords, labels or pictures' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand doctor" -l live -d 'Open the configured source for ten seconds as well, and tell how its pictures come. A device that the service holds cannot be opened twice: stop the service first'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand doctor" -l json -d 'Print one JSON object instead of text'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand doctor" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand health" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand health" -l socket -d 'The daemon\'s control socket' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand health" -l wait -d 'Try again for so many seconds until it is healthy' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand health" -l json -d 'Print one JSON object instead of text'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand audit; and not __fish_seen_subcommand_from verify help" -s h -l help -d 'Print help'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand audit; and not __fish_seen_subcommand_from verify help" -f -a "verify" -d 'Tell whether the audit is what the daemon wrote'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand audit; and not __fish_seen_subcommand_from verify help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand audit; and __fish_seen_subcommand_from verify" -l folder -d 'Folder of the audit [default: that of the configuration]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand audit; and __fish_seen_subcommand_from verify" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand audit; and __fish_seen_subcommand_from verify" -l head -d 'A head to find in it, as the journal has it (LINE:HASH or HASH), or journal: all that the service\'s journal has; may be repeated' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand audit; and __fish_seen_subcommand_from verify" -l json -d 'Print one JSON object instead of text'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand audit; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Tell whether the audit is what the daemon wrote'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand audit; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -l preset -d 'Preset whose pictures are taken: a name or a file [default: simulator]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -l param -d 'Value for one of the preset\'s parameters, as device=/dev/video2' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -l path -d 'Video or image file whose pictures are taken' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -l frames -d 'How many pictures; a shorter file ends the run earlier' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -l model -d 'Model: a name, or the folder that holds its model.toml [default: the configured one]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -l config -d 'Configuration file' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -l json -d 'Print one JSON object instead of a table'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -f -a "live" -d 'Measures whether a number lives only as long as the picture supports it'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -f -a "network" -d 'Measures the network alone, on the CPU'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and not __fish_seen_subcommand_from live network help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -l scenario -d 'Scenario to play: a name, or a file; may be given several times [default: all]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -l rate -d 'Pictures a second; may be given several times [default: 60, 15, 5 and 1]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -l skin -d 'Scanner to play on, instead of the scenario\'s' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -l size -d 'Size of the pictures, instead of the scenario\'s; its changes of size are left out' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -l h264 -d 'Send the pictures through H.264 of so many kbit/s first, as a recorder does' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -l model -d 'Model: a name, or the folder that holds its model.toml [default: the configured one]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -l config -d 'Configuration file' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -l pinned -d 'Pin the hard end on every scanner, as a preset does, not only where the scenario says so'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -l familiar -d 'Take every picture for familiar: the model\'s own refusals hide what else goes wrong'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -l json -d 'Print one JSON object instead of a table'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from live" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from network" -l model -d 'Model: a name, or the folder that holds its model.toml [default: the configured one]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from network" -l size -d 'Size of both views, in pixels [default: the model\'s own, else 224x224]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from network" -l threads -d 'Threads of each engine; the layers are measured on one [default: the configured ones]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from network" -l rounds -d 'How many times each engine runs, and each layer' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from network" -l config -d 'Configuration file' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from network" -l json -d 'Print one JSON object instead of a table'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from network" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from help" -f -a "live" -d 'Measures whether a number lives only as long as the picture supports it'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from help" -f -a "network" -d 'Measures the network alone, on the CPU'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand bench; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and not __fish_seen_subcommand_from build list info verify prune help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and not __fish_seen_subcommand_from build list info verify prune help" -f -a "build" -d 'Compiles the model for this machine\'s GPU, if that was not done yet'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and not __fish_seen_subcommand_from build list info verify prune help" -f -a "list" -d 'Lists the stored engines and what each is worth on this machine'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and not __fish_seen_subcommand_from build list info verify prune help" -f -a "info" -d 'Tells everything about one stored engine, and checks its file'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and not __fish_seen_subcommand_from build list info verify prune help" -f -a "verify" -d 'Runs the model\'s known inputs on GPU and processor and compares the answers'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and not __fish_seen_subcommand_from build list info verify prune help" -f -a "prune" -d 'Removes engines that nothing uses any more'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and not __fish_seen_subcommand_from build list info verify prune help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from build" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from build" -l model -d 'Model: a name, or the folder that holds its model.toml [default: the configured one]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from build" -l force -d 'Build also where an engine is there already, or where its build failed before'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from build" -l if-wanted -d 'Do nothing, and succeed, where the configuration does not want the GPU, or leaves the choice and there is none, or where this very build failed before: for the unit that runs at boot'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from build" -l json -d 'Print one JSON object instead of text'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from build" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from list" -l json -d 'Print one line of JSON for each engine'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from info" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from info" -l model -d 'Model: a name, or the folder that holds its model.toml [default: the configured one]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from info" -l json -d 'Print one JSON object instead of text'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from info" -s h -l help -d 'Print help'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from verify" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from verify" -l model -d 'Model: a name, or the folder that holds its model.toml [default: the configured one]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from verify" -l json -d 'Print one line of JSON for each input'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from prune" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from prune" -l all -d 'Remove all engines, also those that serve'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from prune" -l dry-run -d 'Only tell what would be removed'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from prune" -l json -d 'Print one line of JSON for each file'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from prune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "build" -d 'Compiles the model for this machine\'s GPU, if that was not done yet'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "list" -d 'Lists the stored engines and what each is worth on this machine'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "info" -d 'Tells everything about one stored engine, and checks its file'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Runs the model\'s known inputs on GPU and processor and compares the answers'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "prune" -d 'Removes engines that nothing uses any more'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand engine; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand selftest" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand selftest" -l model -d 'Model: a name, or the folder that holds its model.toml [default: the configured one]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand selftest" -l report -d 'Where the report goes, without an ending: .md and .json are added [default: sonofuse-selftest-DATE in the working folder]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand selftest" -l headers -d 'Folder of NvInfer.h, where it is not in the usual place' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand selftest" -l soak -d 'Frames of the long run of the kernels [default: 2000, or 10 with --quick]' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand selftest" -l die -d 'Panic there, and nothing else: what --fault starts a process for' -r -f -a "main\t'On the main thread'
thread\t'On a thread that nobody joins'
task\t'In a task of the asynchronous runtime'"
complete -c sonofuse -n "__fish_sonofuse_using_subcommand selftest" -l quick -d 'A short run: fewer cases, fewer frames'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand selftest" -l fault -d 'Also let the network panic and lose the GPU on purpose, and see whether they come back'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand selftest" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand setup" -l config -d 'Configuration file [default: /etc/sonofuse/sonofuse.toml if it is there]' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand setup" -l socket -d 'The running daemon\'s control socket' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand setup" -l seconds -d 'For how many seconds a source is tried on a terminal, unless another number is answered' -r
complete -c sonofuse -n "__fish_sonofuse_using_subcommand setup" -l terminal -d 'Walk through it on this terminal, with pictures of its own: the source must be free'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand setup" -l page -d 'Serve the page also where no browser is found here'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand setup" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand ctl" -l socket -d 'The daemon\'s control socket' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand ctl" -l json -d 'Print the answer as it came, a line of JSON'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand ctl" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and not __fish_seen_subcommand_from list show delete protect unprotect help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and not __fish_seen_subcommand_from list show delete protect unprotect help" -f -a "list" -d 'List what was kept, the oldest first'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and not __fish_seen_subcommand_from list show delete protect unprotect help" -f -a "show" -d 'Say what a piece of evidence is and where its files are'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and not __fish_seen_subcommand_from list show delete protect unprotect help" -f -a "delete" -d 'Delete evidence for good'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and not __fish_seen_subcommand_from list show delete protect unprotect help" -f -a "protect" -d 'Keep evidence from being removed for room or for its age'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and not __fish_seen_subcommand_from list show delete protect unprotect help" -f -a "unprotect" -d 'Let it be removed again'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and not __fish_seen_subcommand_from list show delete protect unprotect help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from list" -l config -d 'Configuration file (default: /etc/sonofuse/sonofuse.toml if it is there)' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from list" -l folder -d 'A folder of evidence, in the place of the configured one' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from list" -l json -d 'Print a line of JSON for each'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from show" -l config -d 'Configuration file (default: /etc/sonofuse/sonofuse.toml if it is there)' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from show" -l folder -d 'A folder of evidence, in the place of the configured one' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from show" -l json -d 'Print what is stored beside the files, as one line of JSON'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from delete" -l config -d 'Configuration file (default: /etc/sonofuse/sonofuse.toml if it is there)' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from delete" -l folder -d 'A folder of evidence, in the place of the configured one' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from delete" -l all -d 'Everything that is not protected'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from delete" -l force -d 'What is protected too'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from delete" -s h -l help -d 'Print help'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from protect" -l config -d 'Configuration file (default: /etc/sonofuse/sonofuse.toml if it is there)' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from protect" -l folder -d 'A folder of evidence, in the place of the configured one' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from protect" -s h -l help -d 'Print help'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from unprotect" -l config -d 'Configuration file (default: /etc/sonofuse/sonofuse.toml if it is there)' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from unprotect" -l folder -d 'A folder of evidence, in the place of the configured one' -r -F
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from unprotect" -s h -l help -d 'Print help'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from help" -f -a "list" -d 'List what was kept, the oldest first'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from help" -f -a "show" -d 'Say what a piece of evidence is and where its files are'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from help" -f -a "delete" -d 'Delete evidence for good'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from help" -f -a "protect" -d 'Keep evidence from being removed for room or for its age'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from help" -f -a "unprotect" -d 'Let it be removed again'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand evidence; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "run" -d 'Watch a scanner\'s video and publish a reading for what it shows'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "replay" -d 'Scores recordings and images'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "locate" -d 'Finds the B-mode and elastography views on screen images'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "simulate" -d 'Writes simulated scanner screens and the truth about them'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "check" -d 'Checks configuration, presets, model and service files without opening a device'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "doctor" -d 'Tells what this machine has for sonofuse, what is missing, and what to do'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "health" -d 'Tell by one line and an exit code whether the daemon is healthy'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "audit" -d 'Look at the audit: what the daemon was, what it showed, and what it was told'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "bench" -d 'Measures how long each step takes on this machine'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "engine" -d 'Builds, lists and checks compiled engines for an NVIDIA GPU'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "selftest" -d 'Tests the way from a picture to a score on this machine\'s GPU and processor, and writes a report'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "setup" -d 'Set a scanner up by looking: choose the source, see the found views, pin, mask, try, save as a preset'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "ctl" -d 'Give the running daemon a command: status, mark, next-patient, pause, …'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "evidence" -d 'List, show, protect and delete the snapshots and clips that were kept'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and not __fish_seen_subcommand_from run replay locate simulate check doctor health audit bench engine selftest setup ctl evidence help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from audit" -f -a "verify" -d 'Tell whether the audit is what the daemon wrote'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from bench" -f -a "live" -d 'Measures whether a number lives only as long as the picture supports it'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from bench" -f -a "network" -d 'Measures the network alone, on the CPU'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from engine" -f -a "build" -d 'Compiles the model for this machine\'s GPU, if that was not done yet'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from engine" -f -a "list" -d 'Lists the stored engines and what each is worth on this machine'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from engine" -f -a "info" -d 'Tells everything about one stored engine, and checks its file'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from engine" -f -a "verify" -d 'Runs the model\'s known inputs on GPU and processor and compares the answers'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from engine" -f -a "prune" -d 'Removes engines that nothing uses any more'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from evidence" -f -a "list" -d 'List what was kept, the oldest first'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from evidence" -f -a "show" -d 'Say what a piece of evidence is and where its files are'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from evidence" -f -a "delete" -d 'Delete evidence for good'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from evidence" -f -a "protect" -d 'Keep evidence from being removed for room or for its age'
complete -c sonofuse -n "__fish_sonofuse_using_subcommand help; and __fish_seen_subcommand_from evidence" -f -a "unprotect" -d 'Let it be removed again'
