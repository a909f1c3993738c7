# Runs one program for as long as its owner lives. Called as: sh -c "$(cat keeper.sh)" keeper FOLDER PROGRAM [ARGUMENT]...
#
# Standard input is a pipe that the owner never writes to. The kernel closes it however the owner ends, by SIGKILL too;
# then the program gets SIGTERM, ten seconds later SIGKILL, and FOLDER goes. What the program writes is in FOLDER/log;
# its exit status is in FOLDER/exit as soon as it has ended.
folder=$1
shift
exec 3<&0
"$@" </dev/null >"$folder/log" 2>&1 3<&- &
child=$!

(
  while read -r _ <&3; do :; done
  tenths=0
  while [ ! -e "$folder/exit" ]; do
    case $tenths in
      0) kill -TERM "$child" ;;
      100) kill -KILL "$child" ;;
      200) break ;;
    esac
    tenths=$((tenths + 1))
    sleep 0.1
  done
) &
watch=$!
exec 3<&-

# A signal to the whole group reaches the program as well: wait for it all the same.
trap 'kill -TERM "$child"' HUP INT TERM
while :; do
  wait "$child"
  status=$?
  kill -0 "$child" || break
done
echo "$status" >"$folder/exit"
wait "$watch"
rm -rf "$folder"
rmdir "$(dirname "$folder")"
