// Control of a module that takes a beat of each of INPUTS streams and gives one beat to each of OUTPUTS streams at every
// firing, LATENCY cycles later.
module netfold_stage #(
    parameter int LATENCY = 1,
    parameter int INPUTS  = 1,
    parameter int OUTPUTS = 1
) (
    input  wire               clk,
    input  wire               rst,
    input  wire [ INPUTS-1:0] in_valid,
    output wire [ INPUTS-1:0] in_take,
    input  wire [OUTPUTS-1:0] out_space,
    output wire [OUTPUTS-1:0] out_reserve,
    output wire [OUTPUTS-1:0] out_put
);
  wire fire = &in_valid && &out_space;
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
