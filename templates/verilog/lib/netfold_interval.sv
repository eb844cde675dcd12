// Control of a module that takes a beat of each of INPUTS streams every INTERVAL cycles at most and gives one beat to each of
// OUTPUTS streams LATENCY cycles later.
module netfold_interval #(
    parameter int LATENCY  = 2,
    parameter int INTERVAL = 2,
    parameter int INPUTS   = 1,
    parameter int OUTPUTS  = 1
) (
    input  wire               clk,
    input  wire               rst,
    input  wire [ INPUTS-1:0] in_valid,
    output wire [ INPUTS-1:0] in_take,
    input  wire [OUTPUTS-1:0] out_space,
    output wire [OUTPUTS-1:0] out_reserve,
    output wire [OUTPUTS-1:0] out_put,
    output wire               fire
);
  // Cycles that must pass before the next beat is taken, one bit each.
  reg [INTERVAL-2:0] busy;
  assign fire = ~busy[0] && &in_valid && &out_space;
  always @(posedge clk) begin
    if (rst) busy <= '0;
    else if (fire) busy <= '1;
    else busy <= busy >> 1;
  end
  wire done;
  netfold_delay #(
      .STAGES(LATENCY),
      .RESET (1)
  ) u_done (
      .clk(clk),
      .rst(rst),
      .d  (fire),
      .q  (done)
  );
  assign in_take = {INPUTS{fire}};
  assign out_reserve = {OUTPUTS{fire}};
  assign out_put = {OUTPUTS{done}};
endmodule
